package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// LateOffsets is how many offsets after a reaction its push may come. So a recovery
// looks as far back for reactions.
const LateOffsets = 4096

// After returns the oldest limit messages above seq, and changes of older ones;
// false: memory does not reach back far enough to tell.
func (c *Channel) After(s Span, seq int64, limit int) (Page, bool) {
	return c.forward(s, seq, seq, limit)
}

// Missed returns what somebody missed who has seen everything up to seq: After, and
// the reactions that may not have been pushed.
func (c *Channel) Missed(s Span, seq int64, limit int) (Page, bool) {
	return c.forward(s, seq, ReactionsFrom(seq)-1, limit)
}

// ReactionsFrom is from where on reactions may not have been pushed to somebody who
// has seen everything up to seq.
func ReactionsFrom(seq int64) int64 { return max(1, seq-LateOffsets) }

// forward goes over messages above seq, and changes above it of those at or below it,
// in the order of the log; of reactions, over those above reacted.
func (c *Channel) forward(s Span, seq, reacted int64, limit int) (Page, bool) {
	if seq+1 < c.ring.floor || reacted+1 < c.changes.floor {
		return Page{}, false
	}
	defer c.ring.trim()
	i, _ := position(c.ring.entries, seq+1)
	messages, records := c.ring.entries[i:], c.changes.from(reacted+1)
	w := walk{channel: c, span: s, seq: seq, limit: limit, size: fitted{bytes: s.Bytes}, at: map[int64]int{}}
	w.page.Seq = max(seq, s.End-1)
	for {
		message := len(messages) > 0 && messages[0].seq < s.End
		record := len(records) > 0 && records[0].Seq < s.End
		var next int64
		var fits bool
		switch {
		case record && (!message || records[0].Seq < messages[0].seq):
			next, fits = records[0].Seq, w.change(&records[0])
			records = records[1:]
		case message:
			next, fits = messages[0].seq, w.message(&messages[0])
			messages = messages[1:]
		default:
			return w.result()
		}
		if !fits {
			w.page.Seq, w.page.More = next-1, true
			return w.result()
		}
	}
}

// walk is a page that is being filled.
type walk struct {
	channel *Channel
	span    Span
	seq     int64
	limit   int
	size    fitted
	found   []shown
	page    Page
	at      map[int64]int // of page.Reacted, by target
	unknown bool          // the counts of one, or whether one is deleted

	deleted map[int64]bool // messages that were deleted one by one; nil: not looked at yet
	purges  []*changes.Record
}

// gone reports whether the message of an edit is deleted.
func (w *walk) gone(edit *changes.Record) bool {
	if t, known := w.channel.Target(edit.Target); known {
		return t.Deleted
	}
	if w.deleted == nil {
		w.deleted = map[int64]bool{}
		for i := range w.channel.changes.records {
			switch r := &w.channel.changes.records[i]; {
			case r.Delete != nil:
				w.deleted[r.Target] = true
			case r.Purge != nil:
				w.purges = append(w.purges, r)
			}
		}
	}
	of := changes.Message{Seq: edit.Target, User: edit.Author}
	gone := w.deleted[edit.Target] || slices.ContainsFunc(w.purges, func(p *changes.Record) bool { return p.Hits(&of) })
	if !gone && w.channel.changes.floor > ReactionsFrom(edit.Seq) {
		w.unknown = true // it may have been deleted just before, unseen by who edited it
	}
	return gone
}

// takes reports whether there is room for one more, of a size as encoded.
func (w *walk) takes(size int) bool {
	return len(w.found)+len(w.page.Changes)+len(w.page.Reacted) < w.limit && w.size.fits(size)
}

func (w *walk) message(e *entry) bool {
	if !e.visibleTo(w.span.User) {
		return true
	}
	now := w.channel.ring.current(e, w.span.User)
	if !w.takes(now.size) {
		return false
	}
	w.found = append(w.found, now)
	return true
}

func (w *walk) change(r *changes.Record) bool {
	switch {
	case r.Target > w.seq || !r.VisibleTo(w.span.User):
		return true
	case r.React != nil:
		return w.react(r)
	case r.Seq <= w.seq:
		return true
	}
	listed := *r
	if r.Edit != nil && w.gone(r) {
		listed = r.Bare()
	}
	shown := listed.Wire(w.channel.name)
	if !w.takes(len(rpc.AppendJSON(nil, &shown))) {
		return false
	}
	w.page.Changes = append(w.page.Changes, shown)
	return true
}

// reactBytes is what an element of reacted, or one more name in it, takes besides the
// name.
const reactBytes = 48

func (w *walk) react(r *changes.Record) bool {
	t, known := w.channel.Target(r.Target)
	if !known {
		w.channel.reacting.want(r.Target) // so that memory has it for who comes next
	}
	if !known || !t.Exists {
		w.unknown = true
		return true
	}
	size := reactBytes + len(rpc.AppendJSON(nil, r.React.Name))
	i, there := w.at[r.Target]
	if !there {
		if !w.takes(size) {
			return false
		}
		i = len(w.page.Reacted)
		w.at[r.Target] = i
		w.page.Reacted = append(w.page.Reacted, rpc.Reacted{Target: r.Target, Counts: map[string]int{}})
	} else if _, has := w.page.Reacted[i].Counts[r.React.Name]; !has && !w.size.fits(size) {
		return false
	}
	w.page.Reacted[i].Counts[r.React.Name] = t.count(r.React.Name)
	return true
}

func (w *walk) result() (Page, bool) {
	p := pageOf(w.found, w.page.More)
	p.Seq, p.Changes, p.Reacted, p.Asof = w.page.Seq, w.page.Changes, w.page.Reacted, w.channel.replica.position
	return p, !w.unknown
}

// Records are changes of a channel, all of them from a position on; with All nil,
// nobody knows them.
type Records struct {
	All  []changes.Record // ascending
	From int64
}

// prepend adds changes from before the floor, as many of the newest as there is room
// for.
func (r *changeRing) prepend(older Records) {
	if older.All == nil || older.From >= r.floor {
		return
	}
	n, _ := slices.BinarySearchFunc(older.All, r.floor, func(c changes.Record, seq int64) int { return int(c.Seq - seq) })
	floor, bytes, i := older.From, r.bytes, n
	for ; i > 0; i-- {
		size := sizeOf(&older.All[i-1])
		if len(r.records)+n-i >= ChangeEntries || bytes+size > ChangeBytes {
			floor = older.All[i-1].Seq + 1
			break
		}
		bytes += size
	}
	r.records = slices.Concat(older.All[i:n], r.records)
	r.floor, r.bytes = floor, bytes
}
