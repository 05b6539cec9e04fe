package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
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

// row is a row of the table of events, and of the one of changes where it is one.
type row struct {
	seq    int64
	void   bool
	event  *schema.Event
	change *changes.Record
}

// rowOf is what an event becomes; false for nothing that history has.
func rowOf(seq int64, void bool, e *schema.Event) (row, bool) {
	if e == nil {
		return row{}, false
	}
	r := row{seq: seq, void: void, event: e}
	if c, is := changes.Of(seq, e); is {
		r.change = &c
	}
	return r, r.change != nil || e.GetChat() != nil || e.GetSanction() != nil
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
	if err != nil {
		return true
	}
	if r, is := rowOf(seq, void, e); is {
		p.batch = append(p.batch, r)
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
	page      history.Page
	sanctions []sanctioned
	err       error
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

// FirstEpoch is true in every other run: where there is an earlier epoch, or may be, more
// is read of history.
func (a *archive) FirstEpoch() bool { return a.w.firstEpoch }

func (a *archive) ReadLog(ctx context.Context, q history.Query, from int64) (history.Page, error) {
	return a.wait(ctx, &read{query: q, logged: true, from: from})
}

func (a *archive) Holds(context.Context, string) (bool, error) { return true, nil }

// Reactors folds what a read finds of changes.
func (a *archive) Reactors(ctx context.Context, q history.Query, of history.Reactors) (rpc.ReactionsResult, error) {
	limit := q.Limit
	q.Mode, q.Limit, q.Records = history.Newest, 0, true
	p, err := a.Read(ctx, q)
	added := map[rpc.UserReaction]bool{}
	for _, c := range p.Records {
		if c.React != nil && c.Target == of.Target && (of.Name == "" || of.Name == c.React.Name) {
			added[rpc.UserReaction{Name: c.React.Name, User: c.User}] = !c.React.Remove
		}
	}
	r := rpc.ReactionsResult{Users: []rpc.UserReaction{}}
	byName := func(a, b rpc.UserReaction) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.User, b.User))
	}
	for _, u := range slices.SortedFunc(maps.Keys(added), byName) {
		if added[u] && byName(u, of.After) > 0 {
			r.Users = append(r.Users, u)
		}
	}
	if r.More = len(r.Users) > limit; r.More {
		r.Users = r.Users[:limit]
	}
	return r, err
}

// Sanctions lists what a read finds of sanctions.
func (a *archive) Sanctions(ctx context.Context, q history.Query, after string) (rpc.SanctionsResult, error) {
	limit := q.Limit
	q.Mode, q.Limit, q.Records = history.Newest, 0, true
	x, err := a.await(ctx, &read{query: q})
	found := channel{sanctions: x.sanctions}
	return found.listed(q.End, after, limit), err
}

// Banned and Search are not simulated.
func (a *archive) Banned(context.Context, history.Query, string) (*rpc.Sanction, error) {
	return nil, nil
}

func (a *archive) Search(context.Context, history.Search) (history.Hits, error) {
	return history.Hits{}, history.ErrUnavailable
}

// First follows repeats back in the log as it is.
func (a *archive) First(_ context.Context, key schema.Act, at int64) (history.Act, bool, error) {
	l, found := a.w.logs[schema.PartitionOf(key.Channel, partitions)], false
	act := history.Act{Seq: at}
	for seq := at - 1; seq >= max(0, act.Seq-voidWindow); seq-- {
		e, err := schema.DecodeEvent(l.records[seq].value)
		if err != nil {
			continue
		}
		if has, is := e.Act(); is && has == key {
			act, found = history.Act{Seq: seq, Time: e.Time}, true
		}
	}
	return act, found, nil
}

func (a *archive) End(_ context.Context, channel string) (int64, error) {
	return a.w.logOf(channel).end(), nil
}

func (a *archive) wait(ctx context.Context, r *read) (history.Page, error) {
	x, err := a.await(ctx, r)
	return x.page, err
}

func (a *archive) await(ctx context.Context, r *read) (answer, error) {
	partition := schema.PartitionOf(r.query.Channel, partitions)
	r.mark, r.answer = a.w.projectors[partition].mark.Load(), make(chan answer, 1)
	r.key = fmt.Sprint(a.node, r.query, r.logged, r.from, r.mark)
	a.w.reads.mu.Lock()
	a.w.reads.all = append(a.w.reads.all, r)
	a.w.reads.mu.Unlock()
	select {
	case x := <-r.answer:
		return x, x.err
	case <-ctx.Done():
		a.w.reads.mu.Lock()
		a.w.reads.all = slices.DeleteFunc(a.w.reads.all, func(o *read) bool { return o == r })
		a.w.reads.mu.Unlock()
		return answer{}, ctx.Err()
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
		r.answer <- w.readPast(r)
	}
	w.settle()
}
