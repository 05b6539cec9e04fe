package sim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// projector writes the rows of one partition, in batches, and its watermark
// behind them; it may stop between any two writes.
type projector struct {
	w    *world
	log  *log
	rows []row        // as inserted: repeats included
	mark atomic.Int64 // the watermark W that is stored; -1: none; reads begin on goroutines of their own

	// In memory, lost in a crash.
	next   int64
	from   int64 // rows up to there exist
	window *schema.VoidWindow
	batch  []row
	upTo   int64 // of the batch
	stored int   // rows of the batch that are inserted
}

type row struct {
	seq     int64
	void    bool
	message rpc.Message
}

func (w *world) newProjector(l *log) *projector {
	p := &projector{w: w, log: l}
	p.mark.Store(-1)
	p.restart()
	return p
}

// restart begins at the stored watermark, and reads one window before it.
func (p *projector) restart() {
	mark := p.mark.Load()
	p.from, p.upTo, p.batch, p.stored = mark, mark, nil, 0
	p.next = max(0, mark+1-voidWindow)
	if p.w.plant == plantProjectorWindow {
		p.next = mark + 1
	}
	p.window = schema.NewVoidWindow(voidWindow)
}

// read takes the next record of the log into the batch.
func (p *projector) read() bool {
	if p.next >= p.log.end() || p.stored > 0 {
		return false
	}
	seq := p.next
	p.next++
	e, err := schema.DecodeEvent(p.log.records[seq].value)
	void := err == nil && p.window.Judge(seq, e)
	if seq <= p.from {
		return true
	}
	p.upTo = seq
	if c := e.GetChat(); c != nil {
		p.batch = append(p.batch, row{seq, void, rpc.Message{
			Channel: c.Channel, Seq: seq, ID: c.Id, User: c.User, To: c.To, Body: c.Body, Time: e.Time,
		}})
	}
	return true
}

// write inserts n more rows of the batch, and when all are there the watermark.
func (p *projector) write(n int) bool {
	if n = min(n, len(p.batch)-p.stored); n > 0 {
		p.rows = append(p.rows, p.batch[p.stored:p.stored+n]...)
		p.stored += n
		return true
	}
	if p.stored < len(p.batch) || p.upTo == p.mark.Load() {
		return false
	}
	p.mark.Store(p.upTo)
	p.from = p.upTo
	p.batch, p.stored = nil, 0
	return true
}

// archive is history as an incarnation reads it: the rows up to W, and the
// log above. Reads wait until the scheduler answers them.
type archive struct {
	w    *world
	node string
}

// read is a read under way.
type read struct {
	key    string // what tells reads apart; equal ones get equal answers
	query  history.Query
	logged bool // of the log alone, from the given offset on
	from   int64
	mark   int64 // W as it was when the read began
	answer chan answer
}

type answer struct {
	page history.Page
	err  error
}

// reads are the reads under way. Several may begin and end at once.
type reads struct {
	mu  sync.Mutex
	all []*read
}

func (a *archive) Read(ctx context.Context, q history.Query) (history.Page, error) {
	if a.w.plant == plantHandOff {
		q.End--
	}
	return a.wait(ctx, &read{query: q})
}

func (a *archive) ReadLog(ctx context.Context, q history.Query, from int64) (history.Page, error) {
	return a.wait(ctx, &read{query: q, logged: true, from: from})
}

func (a *archive) Holds(context.Context, string) (bool, error) { return true, nil }

func (a *archive) wait(ctx context.Context, r *read) (history.Page, error) {
	partition := schema.PartitionOf(r.query.Channel, partitions)
	r.mark, r.answer = a.w.projectors[partition].mark.Load(), make(chan answer, 1)
	r.key = fmt.Sprint(a.node, r.query, r.logged, r.from, r.mark)
	a.w.reads.mu.Lock()
	a.w.reads.all = append(a.w.reads.all, r)
	a.w.reads.mu.Unlock()
	select {
	case x := <-r.answer:
		return x.page, x.err
	case <-ctx.Done():
		a.w.reads.mu.Lock()
		a.w.reads.all = slices.DeleteFunc(a.w.reads.all, func(o *read) bool { return o == r })
		a.w.reads.mu.Unlock()
		return history.Page{}, ctx.Err()
	}
}

// keys are the reads under way, in an order that does not depend on how
// goroutines run.
func (r *reads) keys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]string, len(r.all))
	for i := range r.all {
		keys[i] = r.all[i].key
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// take takes out the reads with that key.
func (r *reads) take(key string) []*read {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []*read
	r.all = slices.DeleteFunc(r.all, func(o *read) bool {
		if o.key == key {
			taken = append(taken, o)
		}
		return o.key == key
	})
	return taken
}

// answerReads answers what waits with that key, with an error or as things are
// now.
func (w *world) answerReads(key string, err error) {
	for _, r := range w.reads.take(key) {
		if err != nil {
			r.answer <- answer{err: err}
			continue
		}
		r.answer <- answer{page: w.readPast(r)}
	}
	w.settle()
}

// readPast is the union of what the projector stored and of the log.
func (w *world) readPast(r *read) history.Page {
	q := r.query
	p := w.projectors[schema.PartitionOf(q.Channel, partitions)]
	var all []rpc.Message
	if !r.logged {
		for _, row := range p.rows {
			if row.seq <= r.mark && row.seq < q.End && !row.void && row.message.Channel == q.Channel && w.maySee(&q, &row.message) {
				all = append(all, row.message)
			}
		}
		slices.SortStableFunc(all, func(a, b rpc.Message) int { return cmp.Compare(a.Seq, b.Seq) })
		all = slices.CompactFunc(all, func(a, b rpc.Message) bool { return a.Seq == b.Seq })
		r.from = r.mark + 1
		if w.plant == plantLateMark {
			r.from = p.mark.Load() + 1
		}
	}
	for _, m := range w.readTail(&q, r.from) {
		if w.maySee(&q, &m) {
			all = append(all, m)
		}
	}
	return page(&q, all)
}

func (w *world) maySee(q *history.Query, m *rpc.Message) bool {
	return q.Everyone || m.VisibleTo(q.User) || w.plant == plantLeak
}

// readTail reads the log from an offset to the query's end: void chats are
// those that the query lists, or where its list does not reach the rule is
// applied, from a window earlier.
func (w *world) readTail(q *history.Query, from int64) []rpc.Message {
	l := w.logs[schema.PartitionOf(q.Channel, partitions)]
	judge := from < q.VoidsFrom
	start, window := from, schema.NewVoidWindow(voidWindow)
	if judge {
		start = max(0, from-voidWindow)
	}
	var found []rpc.Message
	for seq := start; seq < min(q.End, l.end()); seq++ {
		e, err := schema.DecodeEvent(l.records[seq].value)
		if err != nil {
			continue
		}
		_, void := slices.BinarySearch(q.Voids, seq)
		if judge {
			void = window.Judge(seq, e)
		}
		if c := e.GetChat(); c != nil && c.Channel == q.Channel && !void && seq >= from {
			found = append(found, rpc.Message{Channel: c.Channel, Seq: seq, ID: c.Id, User: c.User, To: c.To, Body: c.Body, Time: e.Time})
		}
	}
	return found
}

// page cuts the messages below the query's end as its mode says.
func page(q *history.Query, all []rpc.Message) history.Page {
	below := func(seq int64) int {
		return slices.IndexFunc(append(slices.Clone(all), rpc.Message{Seq: 1 << 60}), func(m rpc.Message) bool { return m.Seq >= seq })
	}
	newest := func(m []rpc.Message, limit int) ([]rpc.Message, bool) {
		return m[max(0, len(m)-limit):], len(m) > limit
	}
	oldest := func(m []rpc.Message, limit int) ([]rpc.Message, bool) {
		return m[:min(limit, len(m))], len(m) > limit
	}
	var p history.Page
	switch q.Mode {
	case history.Before:
		p.Messages, p.More = newest(all[:below(q.Before)], q.Limit)
	case history.After:
		p.Messages, p.More = oldest(all[below(q.After+1):], q.Limit)
	case history.Around:
		old, more := newest(all[:below(q.Around)], q.Limit/2)
		recent, newer := oldest(all[below(q.Around):], q.Limit-q.Limit/2)
		p.Messages, p.More, p.Newer = slices.Concat(old, recent), more, newer
	default:
		p.Messages, p.More = newest(all, q.Limit)
	}
	return p
}
