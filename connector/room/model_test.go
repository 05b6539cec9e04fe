package room

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// truth is a channel's log, with what is plain to tell from it.
type truth struct {
	t        *rapid.T
	c        *Channel
	messages []rpc.Message // as sent
	records  []changes.Record
	next     int64
}

func (w *truth) apply(kind any) {
	u := &schema.Update{Channel: "a"}
	switch k := kind.(type) {
	case *schema.Message:
		u.Kind = &schema.Update_Message{Message: k}
	case *schema.Changed:
		u.Kind = &schema.Update_Changed{Changed: k}
	case *schema.Reacted:
		u.Kind = &schema.Update_Reacted{Reacted: k}
	case *schema.Purged:
		u.Kind = &schema.Update_Purged{Purged: k}
	case *schema.Joined:
		u.Kind = &schema.Update_Joined{Joined: k}
	}
	if err := w.c.Apply(&schema.Push{Offset: w.next, Time: w.next}, u); err != nil {
		w.t.Fatal(err)
	}
}

var names = []string{"ann", "bob", "cat"}

// step has something happen; shown says that the channel is told.
func (w *truth) step(shown bool) {
	w.next += rapid.Int64Range(1, 3).Draw(w.t, "gap")
	user := rapid.SampledFrom(names).Draw(w.t, "user")
	what := rapid.IntRange(0, 9).Draw(w.t, "what")
	if len(w.messages) == 0 || what < 3 {
		w.say(shown, user)
		return
	}
	m := w.messages[rapid.IntRange(0, len(w.messages)-1).Draw(w.t, "target")]
	r := changes.Record{ID: "i", Target: m.Seq, Author: m.User, To: m.To}
	r.Seq, r.Time, r.User = w.next, w.next, user
	var kind any
	switch {
	case what < 5:
		edit := &schema.Edit{Body: fmt.Sprint("edit ", w.next), Data: []byte(`{"n":1}`)}
		r.Edit = changes.EditOf(edit)
		kind = &schema.Changed{User: user, Id: "i", Target: m.Seq, Author: m.User, To: m.To, Act: &schema.Changed_Edit{Edit: edit}}
	case what == 5 && w.next%3 == 0:
		r.Delete = &changes.Delete{Reason: "rude"}
		kind = &schema.Changed{User: user, Id: "i", Target: m.Seq, Author: m.User, To: m.To, Act: &schema.Changed_Delete{Delete: &schema.Delete{Reason: "rude"}}}
	case what == 6 && w.next%5 == 0:
		r.Target, r.Author, r.To = 0, "", ""
		r.Purge = &changes.Purge{User: m.User, Since: m.Seq}
		kind = &schema.Purged{User: m.User, Id: "i", Since: m.Seq, By: &schema.Author{By: &schema.Author_User{User: user}}}
	default:
		name, remove := rapid.SampledFrom([]string{"x", "y"}).Draw(w.t, "name"), what == 9
		r.React = &changes.React{Name: name, Remove: remove}
		kind = &schema.Reacted{User: user, Id: "i", Target: m.Seq, Author: m.User, To: m.To, Name: name, Remove: remove}
	}
	w.records = append(w.records, r)
	if shown {
		w.apply(kind)
	}
}

func (w *truth) say(shown bool, user string) {
	to := rapid.SampledFrom([]string{"", "", "ann"}).Draw(w.t, "to")
	m := rpc.Message{Channel: "a", Seq: w.next, ID: "i", User: user, To: to, Body: "said", Type: "poll", Data: json.RawMessage(`[1]`), Time: w.next}
	w.messages = append(w.messages, m)
	if shown {
		w.apply(&schema.Message{User: m.User, Id: m.ID, To: m.To, Body: m.Body, Type: m.Type, Data: m.Data})
	}
}

func (w *truth) state(m *rpc.Message, asof int64) *changes.State {
	s, of := new(changes.State), changes.Message{Seq: m.Seq, User: m.User}
	for i := range w.records {
		if r := &w.records[i]; r.Seq <= asof && r.Hits(&of) {
			s.Add(&of, &r.Change)
		}
	}
	return s
}

func (w *truth) message(seq int64) *rpc.Message {
	for i := range w.messages {
		if w.messages[i].Seq == seq {
			return &w.messages[i]
		}
	}
	return nil
}

// encoded is a message as history shows it.
func (w *truth) encoded(m rpc.Message) []byte {
	w.state(&m, w.next).Show(&m)
	return rpc.AppendMessage(nil, &m)
}

// begin has the connector subscribe here, and fill its memory.
func newTruth(t *rapid.T) *truth {
	w := &truth{t: t, c: New("a", Options{Entries: rapid.IntRange(2, 60).Draw(t, "entries"), Presence: 1000})}
	for range rapid.IntRange(0, 15).Draw(t, "before") {
		w.step(false)
	}
	w.next++
	w.apply(&schema.Joined{User: "me", Session: "s", First: true, Subscribed: true})
	floor := w.next
	for range rapid.IntRange(0, 10).Draw(t, "meanwhile") {
		w.step(true)
	}
	if rapid.Bool().Draw(t, "fill") {
		w.fill(floor)
	}
	for range rapid.IntRange(0, 30).Draw(t, "steps") {
		w.step(true)
		if rapid.IntRange(0, 5).Draw(t, "read") == 0 {
			w.c.Before(Span{"ann", w.next + 1, 1 << 20}, w.next+1, 50)
		}
	}
	return w
}

// fill has memory reach back, by what history tells as of a position.
func (w *truth) fill(floor int64) {
	asof := rapid.Int64Range(floor-1, w.next).Draw(w.t, "asof")
	var messages []rpc.Message
	var states []*changes.State
	for _, m := range w.messages {
		if m.Seq < floor {
			s := w.state(&m, asof)
			s.Show(&m)
			messages, states = append(messages, m), append(states, s)
		}
	}
	records := Records{}
	if rapid.Bool().Draw(w.t, "records") {
		records.All = []changes.Record{}
		for _, r := range w.records {
			if r.Seq <= asof {
				records.All = append(records.All, r)
			}
		}
	}
	w.c.Extend(floor, NewOlder(messages, states, asof, false, 0, "", records))
}

// What memory answers is the fold of all changes of the log, whenever it was asked
// before and however it was filled.
func TestMemoryIsTheFoldOfTheLog(t *testing.T) {
	sure := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := newTruth(t)
		user := rapid.SampledFrom(names).Draw(t, "reader")
		s := Span{user, w.next + 1, 1 << 20}
		if p, ok := w.c.Before(s, w.next+1, 100); ok {
			sure["before"]++
			w.expect(p, user, 0)
		}
		seq := rapid.Int64Range(0, w.next).Draw(t, "seq")
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		if p, ok := w.c.After(s, seq, limit); ok {
			sure["after"]++
			w.expectForward(p, user, seq, seq, limit)
		}
		if p, ok := w.c.Missed(s, seq, limit); ok {
			sure["missed"]++
			w.expectForward(p, user, seq, 0, limit)
		}
		w.expectTargets(sure)
	})
	for _, what := range []string{"before", "after", "missed", "target"} {
		if sure[what] < 3 {
			t.Errorf("memory answered %s only %d times: %v", what, sure[what], sure)
		}
	}
}

// expect compares the messages of a page from a seq on.
func (w *truth) expect(p Page, user string, from int64) {
	w.t.Helper()
	var want [][]byte
	var mine []rpc.Mine
	upTo := w.next
	if p.Seq != 0 {
		upTo = p.Seq
	}
	for _, m := range w.messages {
		if m.Seq <= from || m.Seq > upTo || !m.VisibleTo(user) {
			continue
		}
		want = append(want, w.encoded(m))
		if names := w.state(&m, w.next).Mine(user); len(names) > 0 {
			mine = append(mine, rpc.Mine{Seq: m.Seq, Names: names})
		}
	}
	if !slices.EqualFunc(p.Messages, want, bytes.Equal) || p.Asof != w.next {
		w.t.Fatalf("%q as of %d\nwant\n%q as of %d", p.Messages, p.Asof, want, w.next)
	}
	if fmt.Sprint(p.Mine) != fmt.Sprint(mine) {
		w.t.Fatalf("mine %v, want %v", p.Mine, mine)
	}
}

func (w *truth) expectForward(p Page, user string, seq, reacted int64, limit int) {
	w.t.Helper()
	w.expect(p, user, seq)
	var listed []rpc.Change
	counts := map[int64]map[string]int{}
	for _, r := range w.records {
		if r.Seq > p.Seq || r.Target > seq || !r.VisibleTo(user) {
			continue
		}
		if r.React == nil {
			if r.Seq > seq {
				if r.Edit != nil && w.state(w.message(r.Target), w.next).Deleted() != nil {
					r = r.Bare()
				}
				listed = append(listed, r.Wire("a"))
			}
			continue
		}
		if r.Seq > reacted {
			if counts[r.Target] == nil {
				counts[r.Target] = map[string]int{}
			}
			counts[r.Target][r.React.Name] = w.state(w.message(r.Target), w.next).Count(r.React.Name)
		}
	}
	got := map[int64]map[string]int{}
	for _, r := range p.Reacted {
		got[r.Target] = r.Counts
	}
	n := len(p.Messages) + len(p.Changes) + len(p.Reacted)
	if fmt.Sprint(got) != fmt.Sprint(counts) || text(p.Changes) != text(listed) || len(got) != len(p.Reacted) {
		w.t.Fatalf("after %d up to %d: %v %s, want %v %s", seq, p.Seq, got, text(p.Changes), counts, text(listed))
	}
	if n > limit || p.More == (p.Seq == w.next) || p.More && n == 0 {
		w.t.Fatalf("after %d: %d of %d, up to %d of %d, more %v", seq, n, limit, p.Seq, w.next, p.More)
	}
}

func (w *truth) expectTargets(sure map[string]int) {
	for seq := range w.next + 1 {
		got, known := w.c.Target(seq)
		if !known {
			continue
		}
		sure["target"]++
		m := w.message(seq)
		if got.Exists != (m != nil) {
			w.t.Fatalf("target %d: %+v", seq, got)
		}
		if m == nil {
			continue
		}
		s := w.state(m, w.next)
		at, there := s.Reaction("bob", "x")
		gotAt, gotThere := got.Reaction("bob", "x")
		if got.Author != m.User || got.To != m.To || got.Time != m.Time || got.Deleted != (s.Deleted() != nil) || got.Edits != s.Edits() ||
			got.Names != s.Names() || got.Pairs != s.Pairs() || gotAt != at || gotThere != there || got.HasName("x") != s.Has("x") {
			w.t.Fatalf("target %d: %+v, want %+v", seq, got, s)
		}
	}
}

func text(v any) string { return string(rpc.AppendJSON(nil, v)) }
