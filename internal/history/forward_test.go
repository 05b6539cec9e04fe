package history

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// Of the items that the limit leaves no room for, one is left: it says that there are more.
func TestItemsNearTheLimit(t *testing.T) {
	react := func(seq, target int64) item {
		return item{seq: seq, change: changes.Record{Change: changes.Change{React: &changes.React{Name: "+"}}, Target: target}}
	}
	edit := item{seq: 2, change: changes.Record{Change: changes.Change{Edit: &changes.Edit{}}, Target: 7}}
	items := []item{react(1, 7), edit, react(3, 7), react(4, 9), react(5, 8), react(6, 6), react(7, 5)}
	for limit, want := range []int{1, 2, 5, 6, 7, 7} {
		w := walk{q: &Query{Limit: limit}, at: map[int64]int{9: 0}}
		if got := len(w.near(items)); got != want {
			t.Errorf("limit %d: %d items, want %d", limit, got, want)
		}
	}
}

func TestPagesForwardHaveEverythingOnce(t *testing.T) {
	needsNoKafka(t)
	w, all, readers, end := newTold(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		q := all.query(t, end)
		q.Mode, q.After = After, rapid.Int64Range(0, q.End).Draw(t, "after")
		for more, pages := true, 0; more && pages < walked; pages++ {
			p, err := r.Read(w.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			all.check(t, &q, &p)
			all.checkForward(t, &q, &p)
			if more = p.More; more && p.Seq <= q.After {
				t.Fatalf("after %d it ends at %d", q.After, p.Seq)
			}
			q.After = p.Seq
		}
	})
}

// checkForward compares what a page has up to its seq with the log.
func (a *told) checkForward(t *rapid.T, q *Query, p *Page) {
	var messages, listed []int64
	reacted := map[int64]map[string]int{}
	for i := range a.messages {
		if m := &a.messages[i]; m.Seq > q.After && m.Seq <= p.Seq && m.Seq < q.End && q.wants(m) {
			messages = append(messages, m.Seq)
		}
	}
	for i := range a.changes {
		c := &a.changes[i]
		if c.Seq <= q.After || c.Seq > p.Seq || c.Seq >= q.End || c.Target > q.After || !q.Everyone && !c.VisibleTo(q.User) {
			continue
		}
		if c.React == nil {
			listed = append(listed, c.Seq)
			continue
		}
		if reacted[c.Target] == nil {
			reacted[c.Target] = map[string]int{}
		}
		_, state := a.at(rpc.Message{Seq: c.Target, User: c.Author}, q.End)
		reacted[c.Target][c.React.Name] = state.Count(c.React.Name)
	}
	got := map[int64]map[string]int{}
	for _, x := range p.Reacted {
		got[x.Target] = x.Counts
	}
	var told []int64
	for i := range p.Changes {
		c := &p.Changes[i]
		told = append(told, c.Seq)
		j := slices.IndexFunc(a.changes, func(o changes.Record) bool { return o.Seq == c.Seq })
		if j < 0 {
			t.Fatalf("there is no change at %d", c.Seq)
		}
		want := a.changes[j]
		if _, of := a.at(rpc.Message{Seq: c.Target, User: c.Author}, q.End); of.Deleted() != nil {
			want = want.Bare()
		}
		if text(t, c.Wire("lobby")) != text(t, want.Wire("lobby")) {
			t.Fatalf("the change at %d is %s, want %s", c.Seq, text(t, c.Wire("lobby")), text(t, want.Wire("lobby")))
		}
	}
	n := len(p.Messages) + len(p.Changes) + len(p.Reacted)
	if text(t, seqs(*p)) != text(t, append([]int64{}, messages...)) || !slices.Equal(told, listed) || text(t, got) != text(t, reacted) {
		t.Fatalf("up to %d: %v %v %v, want %v %v %v", p.Seq, seqs(*p), told, got, messages, listed, reacted)
	}
	if n > q.Limit || n == 0 && p.More || len(got) != len(p.Reacted) || !p.More && p.Seq != max(q.After, q.End-1) {
		t.Fatalf("%d entries up to %d, more %v", n, p.Seq, p.More)
	}
}

// Names of reactions take room as text does: a page ends before the first that does not
// fit, and has one at least.
func TestReactionsTakeRoom(t *testing.T) {
	c := chunk{to: 100}
	states := map[int64]*changes.State{}
	for seq := int64(11); seq < 31; seq++ {
		r := changes.Record{Target: (seq + 1) / 2, Change: changes.Change{Seq: seq, React: &changes.React{Name: strings.Repeat("\x01", int(seq))}}}
		c.items = append(c.items, item{seq: seq, change: r})
		states[r.Target] = &changes.State{}
	}
	for bytes := 1; bytes < 6000; bytes += 50 {
		w := walk{q: &Query{Limit: 100, Bytes: bytes}, states: states, at: map[int64]int{}}
		w.take(&c)
		names := 0
		for i := range w.page.Reacted {
			names += len(w.page.Reacted[i].Counts)
		}
		size := len(rpc.AppendJSON(nil, w.page.Reacted))
		if names == 0 || names > 1 && size > bytes || w.page.More != (names < len(c.items)) {
			t.Fatalf("of %d bytes, %d names take %d, more %v", bytes, names, size, w.page.More)
		}
		if w.page.More && w.page.Seq != c.items[names].seq-1 {
			t.Fatalf("%d names, and the page ends at %d", names, w.page.Seq)
		}
	}
}
