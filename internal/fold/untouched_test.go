package fold

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

func watching(connector, channel string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{
		Connector: connector, Channel: channel, PushPartition: pushPartition(connector),
	}}}
}

func reactTo(connector string, counter uint64, channel, to string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: channel, Session: "s", User: "ann", Id: "r", Target: 1, Author: "bob", To: to,
		Act: &schema.Change_React{React: &schema.React{Name: "+1"}},
	}}}
}

// saysUntouched applies the next event, which subscribes a connector, and returns what
// that is told.
func saysUntouched(t *testing.T, f *Fold, e *schema.Event) bool {
	t.Helper()
	out := apply(t, f, f.Next(), e)
	for _, o := range out {
		for _, u := range o.Push.Updates {
			if s := u.GetSnapshot(); s.GetUntouched() && !s.First {
				t.Error("another chunk than the first says untouched")
			}
		}
	}
	for _, o := range out {
		if s := o.Push.Updates[0].GetSnapshot(); s.GetFirst() {
			return s.Untouched
		}
	}
	t.Fatal("nobody is subscribed")
	return false
}

// A connector that begins to follow a channel is told whether anything was said there
// before, by whomever and to whomever.
func TestUntouched(t *testing.T) {
	for name, c := range map[string]struct {
		before []*schema.Event
		want   bool
	}{
		"nothing":                   {nil, true},
		"other channels":            {[]*schema.Event{chat("a", 1, "d", "ann", "1", "")}, true},
		"members":                   {[]*schema.Event{join("a", 1, "c", "s1", "ann")}, true},
		"who came and left":         {[]*schema.Event{join("a", 1, "c", "s1", "ann"), leave("a", 2, "c", "s1", "ann")}, true},
		"a watch":                   {[]*schema.Event{watching("a", "c")}, true},
		"a message":                 {[]*schema.Event{chat("a", 1, "c", "ann", "1", "")}, false},
		"a private one":             {[]*schema.Event{chat("a", 1, "c", "ann", "1", "bob")}, false},
		"a private one, of nobody":  {[]*schema.Event{join("a", 1, "c", "s1", "ann"), chat("a", 2, "c", "ann", "1", "zoe"), down("a")}, false},
		"a private one, then void":  {[]*schema.Event{chat("a", 1, "c", "ann", "1", "bob"), chat("a", 2, "c", "ann", "1", "bob")}, false},
		"a reaction":                {[]*schema.Event{reactTo("a", 1, "c", "")}, false},
		"a reaction, private":       {[]*schema.Event{reactTo("a", 1, "c", "bob")}, false},
		"a purge":                   {[]*schema.Event{purge("a", 1, "c", "ann")}, false},
		"a message, void elsewhere": {[]*schema.Event{chat("a", 1, "d", "ann", "1", ""), chat("a", 1, "c", "ann", "1", "")}, true},
	} {
		for subscribe, e := range map[string]*schema.Event{"join": join("b", 1, "c", "s9", "zoe"), "watch": watching("b", "c")} {
			t.Run(name+", "+subscribe, func(t *testing.T) {
				f := New(testLog)
				for _, e := range append([]*schema.Event{markerOf(2)}, c.before...) {
					apply(t, f, f.Next(), e)
				}
				kept, err := Restore(testLog, collected(stateOf(t, f)))
				if err != nil {
					t.Fatal(err)
				}
				if got := saysUntouched(t, f, e); got != c.want {
					t.Errorf("untouched %v, want %v", got, c.want)
				}
				for i := kept.ReadFrom(); i < kept.Next(); i++ { // the void window
					apply(t, kept, i, append([]*schema.Event{markerOf(2)}, c.before...)[i])
				}
				if got := saysUntouched(t, kept, e); got != c.want {
					t.Errorf("restored: untouched %v, want %v", got, c.want)
				}
			})
		}
	}
}

func purge(connector string, counter uint64, channel, user string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Purge{Purge: &schema.Purge{
		Channel: channel, User: user, Id: "p", By: &schema.Author{By: &schema.Author_User{User: "mo"}},
	}}}
}

// stateOf writes a checkpoint, all of it.
func stateOf(t *testing.T, f *Fold) map[string][]byte {
	t.Helper()
	records, err := f.Flush(1)
	if err != nil {
		t.Fatal(err)
	}
	state := map[string][]byte{}
	for _, r := range records {
		if r.Value != nil {
			state[r.Key] = r.Value
		}
	}
	return state
}

// A checkpoint of a worker that kept nothing of private messages does not tell where
// there were none, nor does any after it; nor does a log that begins above its marker.
func TestUntouchedIsNotGuessed(t *testing.T) {
	state := checkpoint(t, marker(), join("a", 1, "c", "s1", "ann"))
	m := new(schema.StateMarker)
	if err := proto.Unmarshal(state[schema.StateKeyMarker], m); err != nil {
		t.Fatal(err)
	}
	if !m.Whole {
		t.Fatal("the checkpoint of a worker that began with the log is not whole")
	}
	m.Whole = false
	state[schema.StateKeyMarker] = must(t, m)
	for range 2 {
		f, err := Restore(testLog, collected(state))
		if err != nil {
			t.Fatal(err)
		}
		for i := f.ReadFrom(); i < f.Next(); i++ {
			apply(t, f, i, []*schema.Event{marker(), join("a", 1, "c", "s1", "ann"), format(1)}[min(i, 2)])
		}
		apply(t, f, f.Next(), format(1))
		at := f.Next()
		state = stateOf(t, f)
		if saysUntouched(t, f, join("b", uint64(at), "d", "s9", "zoe")) {
			t.Errorf("at offset %d an older checkpoint is believed", at)
		}
	}
	f := New(testLog)
	f.Advance(1)
	if saysUntouched(t, f, join("b", 1, "d", "s9", "zoe")) {
		t.Error("a log whose beginning is not there is believed")
	}
}

// Workers that say what is untouched cut pushes where those do that do not: a
// replacement repeats the pushes of the one before, and connectors take some of each.
func TestUntouchedMovesNoCut(t *testing.T) {
	cuts := func(limit int, says bool) (n []int) {
		f := New(testLog)
		f.limit = limit
		apply(t, f, f.Next(), marker())
		f.whole = says
		for i := range 60 {
			apply(t, f, f.Next(), join("a", uint64(i+1), "c", fmt.Sprint("s", i), fmt.Sprint("user ", i)))
		}
		for _, o := range apply(t, f, f.Next(), join("b", 1, "c", "s", "zoe")) {
			if o.Push.Connector == "b" {
				n = append(n, len(o.Push.Updates))
			}
		}
		return n
	}
	cut := map[int]bool{}
	for limit := headroom + 400; limit < headroom+700; limit++ {
		got, want := cuts(limit, true), cuts(limit, false)
		cut[len(want)] = true
		if !slices.Equal(got, want) {
			t.Fatalf("at a limit of %d the updates are cut into %v, without untouched into %v", limit, got, want)
		}
	}
	if len(cut) < 2 {
		t.Errorf("all limits cut alike: %v", cut)
	}
}
