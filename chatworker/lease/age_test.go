package lease

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// The longest age counts, and none where one of them is not known.
func TestTokenAge(t *testing.T) {
	m := New()
	beat := func(id string, age time.Duration) {
		t.Helper()
		value, err := proto.Marshal(&schema.Beat{Time: 1, TokenAge: age.Milliseconds()})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Apply(1, schema.ControlKeyBeat(id), value); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want time.Duration) {
		t.Helper()
		if got := m.TokenAge(); got != want {
			t.Errorf("tokens are at most %v old, want %v", got, want)
		}
	}
	gone := func(id string) {
		t.Helper()
		if err := m.Apply(1, schema.ControlKeyBeat(id), nil); err != nil {
			t.Fatal(err)
		}
	}
	is(0)
	beat("a", time.Hour)
	is(time.Hour)
	beat("b", 3*time.Hour)
	is(3 * time.Hour)
	beat("c", 0)
	is(0)
	beat("d", -time.Hour)
	gone("c")
	is(0)
	gone("d")
	is(3 * time.Hour)
	gone("b")
	is(time.Hour)
	gone("a")
	is(0)
}
