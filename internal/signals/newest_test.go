package signals

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Of each user and name in a channel the newest is left, and nothing that is corrupt.
func TestNewest(t *testing.T) {
	var records []eventlog.Record
	add := func(channel, user, name string, at int64) {
		value, err := proto.Marshal(&schema.Signal{Channel: channel, User: user, Name: name, Time: at, Data: []byte("1")})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, eventlog.Record{Value: value})
	}
	add("a", "ada", "typing", 1)
	add("b", "ada", "typing", 2)
	add("a", "bob", "typing", 3)
	add("a", "ada", "cursor", 4)
	add("a", "ada", "typing", 5)
	add("", "ada", "typing", 6)
	records = append(records, eventlog.Record{Value: []byte("x")}, eventlog.Record{})
	all, dropped := Newest(records)
	var got []string
	for i := range all {
		got = append(got, fmt.Sprint(all[i].Channel, " ", all[i].User, " ", all[i].Name, " ", all[i].Time))
		if s, err := schema.DecodeSignal(all[i].Value); err != nil || !proto.Equal(s, all[i].Signal) {
			t.Errorf("%s comes with the value of %v (%v)", got[i], s, err)
		}
	}
	if want := []string{"a ada typing 5", "b ada typing 2", "a bob typing 3", "a ada cursor 4"}; !slices.Equal(got, want) || dropped != 4 {
		t.Errorf("%q are left and %d dropped, want %q and 4", got, dropped, want)
	}
}
