package rules

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

func TestSweep(t *testing.T) {
	const age = time.Hour
	table := NewTable()
	s := NewSweep(table)
	apply := func(kind Kind, name string, m proto.Message) { s.Note(put(t, table, kind, name, m)) }
	next := func(now time.Time, want ...string) {
		t.Helper()
		var got []string
		for _, r := range s.Next(now, age) {
			text := r.Key()
			if r.Value != nil {
				text += "!"
			}
			got = append(got, text)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v is to be written, want %v", got, want)
		}
	}
	late := noon.Add(slack)
	next(late)
	apply(Barred, "ever", &schema.Bar{Time: 1})
	apply(Barred, "over", &schema.Bar{Until: noon.UnixMilli()})
	next(late, "barred/over")
	next(late, "barred/over") // until it is gone
	apply(Barred, "over", nil)
	next(late)

	// The tombstone was on its way when the next bar was written.
	apply(Barred, "again", &schema.Bar{Time: 1})
	apply(Barred, "again", nil)
	next(late, "barred/again!")
	next(late, "barred/again!") // until it is there
	apply(Barred, "again", &schema.Bar{Time: 1})
	next(late)

	apply(Barred, "again", nil) // and while it waits, it is over
	apply(Revoked, "ada", &schema.Revocation{Before: noon.UnixMilli()})
	apply(Revoked, "ada", nil)
	apply(Ordered, "ada", &schema.Order{Time: 1})
	apply(Ordered, "ada", nil)
	apply(Barred, "again", &schema.Bar{Until: 1})
	next(late, "barred/again", "revoked/ada!")
	next(late.Add(age), "barred/again")
}

// Whatever is written, and however late tombstones come, in the end the topic
// holds exactly what is not over.
func TestSweepLeavesWhatIsNotOver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable()
		s := NewSweep(table)
		var topic []Rule  // what was written and not read
		var flight []Rule // tombstones that will be written
		read := func(n int) {
			for _, r := range topic[:n] {
				var value []byte
				if r.Value != nil {
					value, _ = proto.MarshalOptions{}.MarshalAppend([]byte{}, r.Value)
				}
				change, err := table.Apply(r.Key(), value, noon)
				if err != nil {
					t.Fatal(err)
				}
				s.Note(change)
			}
			topic = topic[n:]
		}
		newest := map[string]int64{} // what people wrote
		now := noon
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				user := rapid.SampledFrom([]string{"ada", "bob"}).Draw(t, "user")
				newest[user] = now.Add(time.Duration(rapid.IntRange(-3, 5).Draw(t, "until")) * time.Minute).UnixMilli()
				topic = append(topic, Rule{Barred, user, &schema.Bar{Until: newest[user]}})
			case 1:
				read(rapid.IntRange(0, len(topic)).Draw(t, "read"))
			case 2:
				read(len(topic))
				for _, r := range s.Next(now, time.Hour) {
					if r.Value == nil {
						flight = append(flight, r)
					} else {
						topic = append(topic, r)
					}
				}
			case 3:
				now = now.Add(time.Minute)
			case 4:
				topic, flight = append(topic, flight...), nil
			}
		}
		topic = append(topic, flight...)
		for range 3 {
			read(len(topic))
			topic = append(topic, s.Next(now, time.Hour)...)
		}
		read(len(topic))
		for user, until := range newest {
			e := table.find(Barred, user)
			if over := until <= now.Add(-slack).UnixMilli(); over != (e == nil) {
				t.Fatalf("%s, barred until %d, is in the topic: %v, at %d", user, until, e != nil, now.UnixMilli())
			}
		}
	})
}
