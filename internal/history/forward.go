package history

import (
	"context"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// forward answers After in the current epoch: messages, and changes of older ones, in
// the order of the log.
func (x *reading) forward(ctx context.Context) (Page, error) {
	w := walk{q: x.q, states: map[int64]*changes.State{}, at: map[int64]int{}}
	w.page.Asof = x.q.End - 1
	for from := w.begin(); !w.page.More; {
		c, err := x.chunk(ctx, &w, from)
		if err == nil {
			c.items = w.near(c.items)
			err = x.show(ctx, &w, &c)
		}
		if err != nil {
			return Page{}, err
		}
		w.take(&c)
		if from = c.to; from >= x.q.End {
			break
		}
	}
	if !w.page.More {
		w.page.Seq = max(x.q.After, x.q.End-1)
	}
	w.page.Mine = x.q.mine(w.page.Messages, w.page.States)
	if !x.q.States {
		w.page.States = nil
	}
	return w.page, x.records(ctx, &w.page)
}

// walk is a page forward that is being filled.
type walk struct {
	q      *Query
	page   Page
	size   int
	states map[int64]*changes.State // of targets of reactions
	at     map[int64]int            // of page.Reacted, by target
}

// begin is from where on the log is looked at.
func (w *walk) begin() int64 {
	after := min(w.q.After, maxSeq-1) + 1
	if w.q.ReactedFrom > 0 {
		return min(w.q.ReactedFrom, after)
	}
	return after
}

// count is how many entries the page has.
func (w *walk) count() int { return len(w.page.Messages) + len(w.page.Changes) + len(w.page.Reacted) }

// chunk is what a part of the log up to an offset has for a page forward.
type chunk struct {
	to    int64
	items []item // ascending
}

// item is a message, with its state, or a change; of reactions to a message with a name,
// the first one.
type item struct {
	seq     int64
	message *rpc.Message
	state   *changes.State
	change  changes.Record
}

// near leaves out items that the limit leaves no room for, but the first of them:
// others need not be folded.
func (w *walk) near(items []item) []item {
	n, seen := w.count(), map[int64]bool{}
	for i := range items {
		if it := &items[i]; it.message == nil && it.change.React != nil {
			if _, listed := w.at[it.change.Target]; listed || seen[it.change.Target] {
				continue
			}
			seen[it.change.Target] = true
		}
		if n++; n > w.q.Limit {
			return items[:i+1]
		}
	}
	return items
}

// take takes what there is room for, and is folded.
func (w *walk) take(c *chunk) {
	for i := range c.items {
		if !w.item(&c.items[i]) {
			w.page.More, w.page.Seq = true, c.items[i].seq-1
			return
		}
	}
}

// reactedBytes is what an element of Reacted, or one more name in it, takes besides the
// name once encoded.
const reactedBytes = 48

func (w *walk) item(it *item) bool {
	size, target := 0, it.change.Target
	_, listed := w.at[target]
	switch {
	case it.message != nil && it.state == nil:
		return false
	case it.message != nil:
		size = textOf(it.message)
	case it.change.React == nil:
		size, listed = textOfChange(&it.change), false
	case w.states[target] == nil:
		return false
	case listed && w.has(&it.change):
		return true
	default:
		size = reactedBytes + len(rpc.AppendJSON(nil, it.change.React.Name))
	}
	if n := w.count(); n >= w.q.Limit && !listed || w.q.Bytes > 0 && w.size+size > w.q.Bytes && n > 0 {
		return false
	}
	w.size += size
	switch {
	case it.message != nil:
		w.page.Messages, w.page.States = append(w.page.Messages, *it.message), append(w.page.States, it.state)
	case it.change.React == nil:
		w.page.Changes = append(w.page.Changes, it.change)
	case listed: // one more name
		w.react(&it.change)
	default:
		w.at[target] = len(w.page.Reacted)
		w.page.Reacted = append(w.page.Reacted, rpc.Reacted{Target: target, Counts: map[string]int{}})
		w.page.ReactedAt = append(w.page.ReactedAt, it.seq)
		w.react(&it.change)
	}
	return true
}

// has reports whether the page has the count of a reaction's name.
func (w *walk) has(c *changes.Record) bool {
	_, has := w.page.Reacted[w.at[c.Target]].Counts[c.React.Name]
	return has
}

func (w *walk) react(c *changes.Record) {
	w.page.Reacted[w.at[c.Target]].Counts[c.React.Name] = w.states[c.Target].Count(c.React.Name)
}

// show folds the messages of a chunk, and what is reacted to.
func (x *reading) show(ctx context.Context, w *walk, c *chunk) error {
	var of []changes.Message
	known := map[int64]bool{}
	for i := range c.items {
		switch it := &c.items[i]; {
		case it.message != nil:
			of = append(of, changes.Message{Seq: it.seq, User: it.message.User})
		case it.change.React != nil && !known[it.change.Target] && w.states[it.change.Target] == nil:
			known[it.change.Target] = true
			of = append(of, changes.Message{Seq: it.change.Target, User: it.change.Author})
		}
	}
	states, err := x.states(ctx, of)
	if err != nil {
		return err
	}
	for i := range states {
		w.states[of[i].Seq] = states[i]
	}
	for i := range c.items {
		if it := &c.items[i]; it.message != nil && w.states[it.seq] != nil {
			it.state = w.states[it.seq]
			it.state.Show(it.message)
		}
	}
	return x.bare(ctx, c)
}

// bare takes the text of edits whose messages are deleted.
func (x *reading) bare(ctx context.Context, c *chunk) error {
	var of []changes.Message
	seen := map[int64]bool{}
	for i := range c.items {
		if r := &c.items[i].change; r.Edit != nil && !seen[r.Target] {
			seen[r.Target] = true
			of = append(of, changes.Message{Seq: r.Target, User: r.Author})
		}
	}
	gone, err := x.gone(ctx, of)
	for i := range c.items {
		if r := &c.items[i].change; gone[r.Target] {
			*r = r.Bare()
		}
	}
	return err
}
