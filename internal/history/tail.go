package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// fetchBytes is how much of the log is fetched at once.
const fetchBytes = 4 << 20

// tailsAtOnce is how many partitions' tails are read at once.
const tailsAtOnce = 4

// keptCost is what a chat or a change that a read keeps takes besides its text.
const keptCost = 448

// shareCost is how many times as many offsets as a caller asks for a shared read
// may take: no caller waits long for what it does not need, or fails because of
// it.
const shareCost = 2

// tail reads the end of one partition, one read at a time. Callers that want about
// the same of it share a read.
type tail struct {
	cfg       *Config
	partition int
	events    *tracing.Topic
	alive     context.Context
	turns     chan struct{} // a slot for each read under way, of all tails
	work      sync.WaitGroup

	mu      sync.Mutex // guards what follows
	closed  bool
	running *tailRead   // nil: none
	waiting []*tailRead // in the order they were asked for, each with callers
	turn    int         // how many reads there were
}

// tailRead is one read of the log for all callers that wait for it. It keeps the chats
// and the changes of their channels.
type tailRead struct {
	ctx      context.Context // within the span of its first caller
	from, to int64           // offsets
	records  int             // read
	judge    bool            // apply the rule for void events, from a window earlier
	done     chan struct{}
	callers  int   // guarded by the tail's lock
	least    int64 // offsets that the most modest of them needs; guarded as well
	// channels are those waited for, fixed once the read runs. What they point
	// to is owned by the read until it is done.
	channels map[string]*logged
	err      error
}

func newTail(ctx context.Context, cfg *Config, partition int, events *tracing.Topic, turns chan struct{}) *tail {
	return &tail{cfg: cfg, partition: partition, events: events, alive: ctx, turns: turns}
}

// close waits for the reads under way; the tail's context has ended.
func (t *tail) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.work.Wait()
}

// read returns the messages within s that q may see, ascending: one more than s
// takes, where there are more.
func (t *tail) read(ctx context.Context, q *Query, s span) ([]rpc.Message, error) {
	r, err := t.await(ctx, q, s.from, s.to)
	if err != nil {
		return nil, err
	}
	return r.messages(q, s), nil
}

// await returns a read of [from, to) that is done.
func (t *tail) await(ctx context.Context, q *Query, from, to int64) (*tailRead, error) {
	r, err := t.share(ctx, q.Channel, from, to, from < q.VoidsFrom)
	if err != nil {
		return nil, err
	}
	tracing.Share(ctx, r.ctx)
	select {
	case <-r.done:
		return r, r.err
	case <-ctx.Done():
		t.abandon(r)
		return nil, ctx.Err()
	}
}

// share returns a read that covers [from, to) of a channel.
func (t *tail) share(ctx context.Context, channel string, from, to int64, judge bool) (*tailRead, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	alone := t.cost(from, to, judge)
	if r := t.running; r != nil && r.covers(channel, from, to, judge) && t.cost(r.from, r.to, r.judge) <= t.shared(alone) {
		return r, nil // the log below its end does not change
	}
	for _, r := range t.waiting {
		if t.cost(min(r.from, from), max(r.to, to), r.judge || judge) <= t.shared(min(r.least, alone)) {
			r.extend(channel, from, to, judge)
			r.callers, r.least = r.callers+1, min(r.least, alone)
			return r, nil
		}
	}
	r := newTailRead(tracing.Within(t.alive, ctx), channel, from, to, judge)
	r.callers, r.least = 1, alone
	if t.running == nil {
		t.running = r
		t.work.Go(t.run)
	} else {
		t.waiting = append(t.waiting, r)
	}
	return r, nil
}

// cost is how many offsets a read takes.
func (t *tail) cost(from, to int64, judge bool) int64 {
	if judge {
		from -= t.cfg.Epoch.Window
	}
	return to - max(0, from)
}

// shared is how many offsets a read may take that is shared by one who needs
// that many. A step is read in a moment, so less than that is not distinguished.
func (t *tail) shared(alone int64) int64 { return shareCost * max(alone, t.cfg.TailStep) }

// abandon records that a caller no longer waits. What nobody waits for is not
// read.
func (t *tail) abandon(r *tailRead) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.callers--; r.callers == 0 {
		t.waiting = slices.DeleteFunc(t.waiting, func(o *tailRead) bool { return o == r })
	}
}

// run reads for as long as somebody waits.
func (t *tail) run() {
	t.mu.Lock()
	r := t.running
	t.mu.Unlock()
	for r != nil {
		r.err = t.fillInTurn(r)
		close(r.done)
		t.mu.Lock()
		t.running = t.next()
		r = t.running
		t.mu.Unlock()
	}
}

// next takes out, in turns, the read that takes least and the one that has
// waited longest: nobody waits for more than a few long ones, and long ones get
// their turn. The lock is held.
func (t *tail) next() *tailRead {
	if len(t.waiting) == 0 {
		return nil
	}
	i := 0
	if t.turn++; t.turn%2 == 1 {
		for j, r := range t.waiting {
			if o := t.waiting[i]; t.cost(r.from, r.to, r.judge) < t.cost(o.from, o.to, o.judge) {
				i = j
			}
		}
	}
	r := t.waiting[i]
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return r
}

func newTailRead(ctx context.Context, channel string, from, to int64, judge bool) *tailRead {
	return &tailRead{ctx: ctx, from: from, to: to, judge: judge, done: make(chan struct{}), channels: map[string]*logged{channel: {}}}
}

func (r *tailRead) covers(channel string, from, to int64, judge bool) bool {
	_, has := r.channels[channel]
	return has && r.from <= from && to <= r.to && (r.judge || !judge)
}

func (r *tailRead) extend(channel string, from, to int64, judge bool) {
	r.from, r.to, r.judge = min(r.from, from), max(r.to, to), r.judge || judge
	if _, has := r.channels[channel]; !has {
		r.channels[channel] = &logged{}
	}
}

// fillInTurn reads the log when fewer than tailsAtOnce others do: what they
// keep is bounded together.
func (t *tail) fillInTurn(r *tailRead) error {
	select {
	case t.turns <- struct{}{}:
		defer func() { <-t.turns }()
		return t.fill(r)
	case <-t.alive.Done():
		return ErrClosed
	}
}

// fill reads the log within the budget.
func (t *tail) fill(r *tailRead) error {
	ctx, cancel := context.WithTimeout(r.ctx, t.cfg.TailTime)
	defer cancel()
	span := t.events.Poll(ctx, t.partition, r.from)
	err := t.scan(ctx, r)
	span.Polled(r.records, err)
	switch {
	case err == nil:
		return nil
	case t.alive.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return fmt.Errorf("%w: offsets %d to %d of %s/%d took longer than %v", ErrTail, r.from, r.to, schema.TopicEvents, t.partition, t.cfg.TailTime)
	}
	return fmt.Errorf("read offsets %d to %d of %s/%d: %w", r.from, r.to, schema.TopicEvents, t.partition, err)
}

func (t *tail) scan(ctx context.Context, r *tailRead) error {
	from := r.from
	var window *schema.VoidWindow
	if r.judge {
		from = max(0, r.from-t.cfg.Epoch.Window)
		window = schema.NewVoidWindow(t.cfg.Epoch.Window)
	}
	reader := t.cfg.Log.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: t.partition, Offset: from, MaxBytes: fetchBytes,
		OnReconnect: func(ctx context.Context) error { return t.cfg.Epoch.Check(ctx, t.cfg.Log) },
	})
	defer reader.Close()
	started, spent := time.Now(), 0
	for next := from; next < r.to; {
		batch, err := reader.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) {
			next = corrupt.NextOffset
			continue
		}
		if err != nil {
			return err
		}
		for i := range batch.Records {
			rec := &batch.Records[i]
			r.records++
			if rec.Offset >= r.to {
				return nil
			}
			kept, err := r.add(rec, window)
			if err != nil {
				return err
			}
			if kept {
				spent += keptCost
			}
			if spent += len(rec.Value); spent > t.cfg.TailBytes {
				return fmt.Errorf("%w: more than %d bytes, read in %v", ErrTail, t.cfg.TailBytes, time.Since(started).Round(time.Millisecond))
			}
		}
		next = batch.NextOffset
	}
	return nil
}
