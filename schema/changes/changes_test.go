package changes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema/rpc"
)

// A purge takes away what is from its since up to before itself.
func TestPurges(t *testing.T) {
	for _, c := range []struct {
		seq   int64
		purge Purge
		gone  bool
	}{
		{11, Purge{User: "ada"}, true},
		{11, Purge{User: "ada", Since: 10}, true},
		{11, Purge{User: "ada", Since: 11}, false},
		{10, Purge{User: "ada"}, false}, // its own seq, at which there is no message
		{9, Purge{User: "ada"}, false},
		{11, Purge{User: "bob"}, false},
	} {
		s := new(State)
		s.Add(&Message{Seq: 10, User: "ada"}, &Change{Seq: c.seq, Purge: &c.purge})
		if gone := s.Deleted() != nil; gone != c.gone {
			t.Errorf("a purge of %+v at %d: gone %v", c.purge, c.seq, gone)
		}
	}
}

// What requests ask of a message is what its changes say, whatever their order.
func TestReactionsOfAMessage(t *testing.T) {
	for i := range 500 {
		c := newCase(i)
		s, m := new(State), Message{c.Message.Seq, c.Message.User}
		for _, j := range c.Order {
			change := c.Changes[j].change()
			s.Add(&m, &change)
		}
		type pair struct{ user, name string }
		deciding, edits := map[pair]wireChange{}, 0
		for _, w := range c.Changes { // ascending
			if w.Edit != nil {
				edits++
			}
			if w.React != nil {
				deciding[pair{w.User, w.React.Name}] = w
			}
		}
		counts := map[string]int{}
		for of, w := range deciding {
			if !w.React.Remove {
				counts[of.name]++
			}
			if seq, there := s.Reaction(of.user, of.name); seq != w.Seq || there == w.React.Remove {
				t.Fatalf("case %d: %v reacts since %d: %v, want %+v", i, of, seq, there, w)
			}
		}
		if s.Pairs() != len(deciding) || s.Names() != len(counts) || s.Edits() != edits ||
			s.Unchanged() != (edits+len(deciding) == 0 && s.Deleted() == nil) {
			t.Fatalf("case %d: %d pairs, %d names, %d edits, want %v, %v, %d", i, s.Pairs(), s.Names(), s.Edits(), deciding, counts, edits)
		}
		for name, n := range counts {
			if s.Deleted() == nil && s.Count(name) != n || s.Deleted() != nil && s.Count(name) != 0 {
				t.Fatalf("case %d: %d react with %s, want %d", i, s.Count(name), name, n)
			}
		}
		if seq, there := s.Reaction("nobody", "n0"); seq != 0 || there {
			t.Fatal("nobody reacts")
		}
	}
}

// Bytes is about what a state takes, and not less by much.
func TestBytesOfAState(t *testing.T) {
	const states = 20
	for name, fill := range map[string]func(s *State, m *Message){
		"10,000 pairs of one name": func(s *State, m *Message) {
			for i := range int64(10_000) {
				s.Add(m, &Change{Seq: i + 1, User: fmt.Sprint("user", i), React: &React{Name: "x"}})
			}
		},
		"as many names as pairs": func(s *State, m *Message) {
			for i := range int64(2000) {
				name := fmt.Sprint("name", i)
				s.Add(m, &Change{Seq: 2*i + 1, User: "ada", React: &React{Name: name}})
				s.Add(m, &Change{Seq: 2*i + 2, User: "ada", React: &React{Name: name, Remove: true}})
			}
		},
		"1,000 edits": func(s *State, m *Message) {
			for i := range int64(1000) {
				s.Add(m, &Change{Seq: i + 1, Edit: &Edit{Body: strings.Repeat("x", 10_000)}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, said := inuse.Heap(), 0
			var all [states]State
			for i := range all {
				fill(&all[i], &Message{Seq: 1, User: "ada"})
				said += all[i].Bytes()
			}
			heap := inuse.Heap() - before
			t.Logf("%d bytes, of which %d are counted", heap, said)
			if heap > said*5/4 || said > 3*heap {
				t.Errorf("%d bytes, of which %d are counted", heap, said)
			}
			if all[0].Unchanged() {
				t.Error("it is unchanged")
			}
		})
	}
}

// What a message is shown as may be shown again with more changes: nobody needs to
// keep it as it was sent.
func TestShowGoesOn(t *testing.T) {
	for i := range savedCases {
		c := newCase(i)
		sent := rpc.Message{Seq: c.Message.Seq, User: c.Message.User, Body: c.Message.Body, Type: c.Message.Type, Data: c.Message.Data, Reply: 3, Mentions: []string{"bob"}}
		once, again := sent, sent
		s, m := new(State), Message{sent.Seq, sent.User}
		for j := range c.Changes {
			change := c.Changes[j].change()
			s.Add(&m, &change)
			s.Show(&again)
		}
		s.Show(&once)
		if text(t, once) != text(t, again) {
			t.Fatalf("case %d: %s, and step by step %s", i, text(t, once), text(t, again))
		}
		gone := c.Shown.Deleted != nil
		if once.Body != c.Shown.Body || once.Type != c.Shown.Type || text(t, once.Edited) != text(t, c.Shown.Edited) || text(t, once.Deleted) != text(t, c.Shown.Deleted) ||
			len(once.Reactions) != len(c.Shown.Reactions) || (once.Reply == 0) != gone || (once.Mentions == nil) != gone {
			t.Fatalf("case %d: %s, want %s", i, text(t, once), text(t, c.Shown))
		}
	}
}

// A change is on the wire as docs/protocol.md has it.
func TestChangesOnTheWire(t *testing.T) {
	none, data := "", `{"a":1}`
	for want, r := range map[string]Record{
		`{"channel":"c","seq":5,"target":3,"user":"ada","time":7,"id":"i","edit":{"body":"b"}}`:                           {Change: Change{Edit: &Edit{Body: "b"}}, Target: 3},
		`{"channel":"c","seq":5,"target":3,"user":"ada","time":7,"id":"i","edit":{"body":"b","type":"text","data":null}}`: {Change: Change{Edit: &Edit{Body: "b", Type: &none, Data: &none}}, Target: 3},
		`{"channel":"c","seq":5,"target":3,"user":"ada","to":"bob","time":7,"id":"i","edit":{"body":"b","data":{"a":1}}}`: {Change: Change{Edit: &Edit{Body: "b", Data: &data}}, Target: 3, To: "bob"},
		`{"channel":"c","seq":5,"target":3,"user":"ada","key":"k","time":7,"id":"i","delete":{"reason":"rude"}}`:          {Change: Change{Key: "k", Delete: &Delete{"rude"}}, Target: 3},
		`{"channel":"c","seq":5,"by":{"user":"ada"},"time":7,"id":"i","purge":{"user":"bob","since":2,"reason":"spam"}}`:  {Change: Change{Purge: &Purge{"bob", 2, "spam"}}},
		`{"channel":"c","seq":5,"by":{"key":"k"},"time":7,"id":"i","purge":{"user":"bob","since":0}}`:                     {Change: Change{Key: "k", Purge: &Purge{User: "bob"}}},
	} {
		r.Seq, r.Time, r.User, r.ID = 5, 7, "ada", "i"
		got, err := json.Marshal(r.Wire("c"))
		if err != nil || string(got) != want {
			t.Errorf("%s, want %s (%v)", got, want, err)
		}
	}
}
