package fold

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// checkpoint is the state after the events, written in full.
func checkpoint(t *testing.T, events ...*schema.Event) map[string][]byte {
	t.Helper()
	f := New(testLog)
	for i, e := range events {
		apply(t, f, int64(i), e)
	}
	records, err := f.Flush(1)
	if err != nil {
		t.Fatal(err)
	}
	if f.Changed() {
		t.Error("changed right after a flush")
	}
	state := map[string][]byte{}
	for _, r := range records {
		if r.Value != nil {
			state[r.Key] = r.Value
		}
	}
	return state
}

// The void chat at the lower end of the list is judged by an event that lies
// a whole window below it.
func TestRestoreReadsTwoWindows(t *testing.T) {
	events := []*schema.Event{marker(), chat("a", 1, "c", "ann", "1", "")}
	for len(events) < 1+testWindow {
		events = append(events, format(1))
	}
	events = append(events, chat("a", 2, "c", "ann", "1", "")) // void, by one offset
	for len(events) < 1+2*testWindow {
		events = append(events, format(1))
	}
	f, err := Restore(testLog, checkpoint(t, events...))
	if err != nil {
		t.Fatal(err)
	}
	if f.ReadFrom() != 1 {
		t.Errorf("reads from %d, want 1", f.ReadFrom())
	}
	for i := f.ReadFrom(); i < f.Next(); i++ {
		apply(t, f, i, events[i])
	}
	out := apply(t, f, f.Next(), join("b", 1, "c", "s1", "bob"))
	if voids := out[0].Push.Updates[0].GetSnapshot().GetVoids(); len(voids) != 1 || voids[0] != 1+testWindow {
		t.Errorf("the snapshot lists void chats %v, want [%d]", voids, 1+testWindow)
	}
}

func TestRestoreRefuses(t *testing.T) {
	valid := func() map[string][]byte {
		return checkpoint(t, marker(), join("a", 1, "c", "s1", "ann"), chat("a", 2, "c", "ann", "1", ""))
	}
	setMarker := func(change func(*schema.StateMarker)) func(map[string][]byte) {
		return func(state map[string][]byte) {
			m := new(schema.StateMarker)
			if err := proto.Unmarshal(state[schema.StateKeyMarker], m); err != nil {
				t.Fatal(err)
			}
			change(m)
			b, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			state[schema.StateKeyMarker] = b
		}
	}
	noise := []byte("\xff\xff")
	for name, c := range map[string]struct {
		change func(map[string][]byte)
		want   string
	}{
		"nothing":                    {func(map[string][]byte) {}, ""},
		"another epoch":              {setMarker(func(m *schema.StateMarker) { m.Epoch = "e0" }), "belongs to epoch e0"},
		"another topic":              {setMarker(func(m *schema.StateMarker) { m.TopicId = []byte{9} }), "topic 09"},
		"a newer format":             {setMarker(func(m *schema.StateMarker) { m.Format = 99 }), "start a newer parley"},
		"a damaged marker":           {func(s map[string][]byte) { s[schema.StateKeyMarker] = noise }, "damaged"},
		"a damaged member":           {func(s map[string][]byte) { s[schema.StateKeyMember("s1", "c")] = noise }, "damaged"},
		"a damaged connector":        {func(s map[string][]byte) { s[schema.StateKeyConnector("a")] = noise }, "damaged"},
		"a damaged channel":          {func(s map[string][]byte) { s[schema.StateKeyChannel("c")] = noise }, "damaged"},
		"a member without connector": {func(s map[string][]byte) { delete(s, schema.StateKeyConnector("a")) }, "connector is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			state := valid()
			c.change(state)
			_, err := Restore(testLog, state)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	state := valid()
	setMarker(func(m *schema.StateMarker) { m.Epoch = "e0" })(state)
	var mismatch *MismatchError
	if _, err := Restore(testLog, state); !errors.As(err, &mismatch) {
		t.Errorf("another epoch: %v, want a MismatchError", err)
	}
}

// Records that are no events move the position and nothing else.
func TestAdvance(t *testing.T) {
	f := New(testLog)
	apply(t, f, 0, marker())
	f.Advance(7)
	f.Advance(3)
	if f.Next() != 7 || !f.Changed() {
		t.Errorf("next %d, changed %v, want 7 and true", f.Next(), f.Changed())
	}
}
