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

// collected is the checkpoint of a state, in any order.
func collected(state map[string][]byte) *Checkpoint {
	c := NewCheckpoint()
	for key, value := range state {
		c.Put(Record{key, value})
	}
	return c
}

// What counts of a key is its newest record.
func TestCheckpointKeepsTheNewest(t *testing.T) {
	marker := must(t, &schema.StateMarker{Next: 9, Epoch: testLog.Epoch, TopicId: testLog.TopicID[:]})
	first, second := must(t, &schema.StateChannel{Last: 1}), must(t, &schema.StateChannel{Last: 2})
	noise := []byte("\xff\xff")
	for name, c := range map[string]struct {
		values [][]byte
		want   int64 // 0: no channel
	}{
		"two":               {[][]byte{first, second}, 2},
		"removed":           {[][]byte{first, nil}, 0},
		"removed and again": {[][]byte{first, nil, second}, 2},
		"repaired":          {[][]byte{first, noise, second}, 2},
		"damaged, removed":  {[][]byte{noise, nil}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			checkpoint := NewCheckpoint()
			checkpoint.Put(Record{schema.StateKeyMarker, noise})
			for _, v := range c.values {
				checkpoint.Put(Record{schema.StateKeyChannel("c"), v})
				checkpoint.Put(Record{schema.StateKeyConnector("a"), v})
			}
			checkpoint.Put(Record{schema.StateKeyConnector("a"), nil})
			checkpoint.Put(Record{schema.StateKeyMarker, marker})
			f, err := Restore(testLog, checkpoint)
			if err != nil {
				t.Fatal(err)
			}
			last := int64(0)
			if ch := f.channels["c"]; ch != nil {
				last = ch.last
			}
			if last != c.want || f.Next() != 9 || len(f.connectors) > 0 {
				t.Errorf("channel at %d, next %d, %d connectors, want %d, 9 and 0", last, f.Next(), len(f.connectors), c.want)
			}
		})
	}
}

// What a newer parley wrote is not called damaged.
func TestNewerChannelIsNotDamaged(t *testing.T) {
	state := map[string][]byte{
		schema.StateKeyChannel("c"): []byte("\xff\xff"),
		schema.StateKeyMarker: must(t, &schema.StateMarker{
			Epoch: testLog.Epoch, TopicId: testLog.TopicID[:], Format: schema.NewestFormat + 1,
		}),
	}
	var newer *schema.NewerError
	if _, err := Restore(testLog, collected(state)); !errors.As(err, &newer) {
		t.Errorf("error %v, want a NewerError", err)
	}
}

func must(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
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
	f, err := Restore(testLog, collected(checkpoint(t, events...)))
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
			state[schema.StateKeyMarker] = must(t, m)
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
		"damaged info":               {func(s map[string][]byte) { s[schema.StateKeyInfo("c", "ann")] = noise }, "damaged"},
		"a damaged sanction":         {func(s map[string][]byte) { s[schema.StateKeySanction("c", "bob")] = noise }, "damaged"},
		"damaged settings":           {func(s map[string][]byte) { s[schema.StateKeySettings("c")] = noise }, "damaged"},
		"damaged pins":               {func(s map[string][]byte) { s[schema.StateKeyPins("c")] = noise }, "damaged"},
		"a damaged watch":            {func(s map[string][]byte) { s[schema.StateKeyWatch("a", "c")] = noise }, "damaged"},
		"a watch without offset":     {func(s map[string][]byte) { s[schema.StateKeyWatch("a", "c")] = []byte{} }, "without an offset"},
		"a watch without connector":  {func(s map[string][]byte) { s[schema.StateKeyWatch("z", "c")] = must(t, &schema.StateWatch{Offset: 1}) }, "connector is unknown"},
		"a member without connector": {func(s map[string][]byte) { delete(s, schema.StateKeyConnector("a")) }, "connector is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			state := valid()
			c.change(state)
			_, err := Restore(testLog, collected(state))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	state := valid()
	setMarker(func(m *schema.StateMarker) { m.Epoch = "e0" })(state)
	var mismatch *MismatchError
	if _, err := Restore(testLog, collected(state)); !errors.As(err, &mismatch) {
		t.Errorf("another epoch: %v, want a MismatchError", err)
	}
}

// Records that are not events move the position and nothing else.
func TestAdvance(t *testing.T) {
	f := New(testLog)
	apply(t, f, 0, marker())
	f.Advance(7)
	f.Advance(3)
	if f.Next() != 7 || !f.Changed() {
		t.Errorf("next %d, changed %v, want 7 and true", f.Next(), f.Changed())
	}
}
