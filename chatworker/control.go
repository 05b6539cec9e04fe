package chatworker

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/chatworker/lease"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// control follows parley.control, which every worker does from its beginning,
// whether it owns the partition or not.
type control struct {
	w        *Worker
	caughtUp atomic.Bool // it was read to its end once
	clock    roles.Clock

	// Orphans whose downs are not acknowledged yet, which may take as long as
	// their partition cannot be written.
	ending *underWay[lease.Holding]

	mu      sync.Mutex // guards what follows
	machine *lease.Machine
	next    int64         // everything below was read
	end     int64         // where the topic ended when reading began
	moved   chan struct{} // closed and replaced whenever next moves
}

func newControl(w *Worker) *control {
	return &control{w: w, ending: newUnderWay[lease.Holding](), machine: lease.New(), moved: make(chan struct{})}
}

// run reads until ctx ends, which is an error like any other.
func (c *control) run(ctx context.Context) error {
	first, end, err := c.w.client.Offsets(ctx, schema.TopicControl, 0)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.end = end
	c.reached(first)
	c.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.read(ctx, g, first) })
	return g.Wait()
}

// read reads from first on. What takes longer runs in g.
func (c *control) read(ctx context.Context, g *errgroup.Group, first int64) error {
	for {
		err := c.follow(ctx, g, first)
		var gone *eventlog.OffsetError
		switch {
		case errors.As(err, &gone) && gone.First > gone.Offset:
			first = gone.First // compacted; what is missing was superseded
		case errors.As(err, &gone), errors.Is(err, eventlog.ErrLogReplaced):
			return c.w.watch.lostControl(ctx, err)
		default:
			return fmt.Errorf("read %s: %w", schema.TopicControl, err)
		}
	}
}

func (c *control) follow(ctx context.Context, g *errgroup.Group, from int64) error {
	r := c.w.client.NewReader(eventlog.ReaderConfig{Own: true, Topic: schema.TopicControl, Offset: from, OnReconnect: c.w.guard})
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) {
			c.w.skipCorrupt(ctx, schema.TopicControl, 0, corrupt.Offset, err)
			c.mu.Lock()
			c.reached(corrupt.NextOffset)
			c.mu.Unlock()
			continue
		}
		if err != nil {
			return err
		}
		c.apply(ctx, batch)
		if err := c.checkHistory(ctx, batch); err != nil {
			return err
		}
		current := batch.NextOffset >= batch.End
		if current {
			c.noteClock(batch)
		}
		if orphans := c.orphans(current); len(orphans) > 0 {
			c.w.log.Warn("ending memberships of connectors that do not beat", "orphans", orphans)
			g.Go(func() error { return c.endOrphans(ctx, orphans) })
		}
	}
}

// endOrphans ends memberships, and returns once that is acknowledged.
func (c *control) endOrphans(ctx context.Context, orphans []lease.Holding) error {
	defer func() {
		for _, o := range orphans {
			c.ending.end(o)
		}
	}()
	if err := c.w.downs.orphans(ctx, orphans); err != nil {
		return err
	}
	c.w.metrics.downs.Add(len(orphans), "orphan")
	return nil
}

func (c *control) apply(ctx context.Context, batch eventlog.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range batch.Records {
		if err := c.machine.Apply(r.Offset, string(r.Key), r.Value); err != nil {
			c.w.skipCorrupt(ctx, schema.TopicControl, 0, r.Offset, err)
		}
	}
	c.reached(batch.NextOffset)
}

// reached records that everything below next was read. The lock is held.
func (c *control) reached(next int64) {
	c.next = next
	if next >= c.end {
		c.caughtUp.Store(true)
	}
	close(c.moved)
	c.moved = make(chan struct{})
}

// noteClock compares this machine's clock with the newest tick of a batch, which
// was delivered without delay.
func (c *control) noteClock(batch eventlog.Batch) {
	if !c.caughtUp.Load() {
		return // it may be old
	}
	for i := len(batch.Records) - 1; i >= 0; i-- {
		if tick := roles.TickOf(&batch.Records[i]); tick != nil {
			c.clock.Note(tick, time.Now(), time.Second)
			return
		}
	}
}

// checkHistory refuses a log that lacks what ClickHouse holds, as reported by a
// role that compared the two.
func (c *control) checkHistory(ctx context.Context, batch eventlog.Batch) error {
	for i := len(batch.Records) - 1; i >= 0; i-- {
		if r := &batch.Records[i]; string(r.Key) == schema.ControlKeyHistory {
			return c.w.epoch.CheckHistory(ctx, c.w.client, epoch.DecodeHistory(r.Value))
		}
	}
	return nil
}

// orphans checks what this worker holds, and returns what must end now and is
// not being ended already. Nothing counts as held while there is more to read.
func (c *control) orphans(current bool) []lease.Holding {
	var held iter.Seq[lease.Holding] = func(func(lease.Holding) bool) {}
	if current {
		held = c.w.holdings.all
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.machine.Orphans(held), func(h lease.Holding) bool { return !c.ending.begin(h) })
}

// all yields what the partitions hold.
func (h *holdings) all(yield func(lease.Holding) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, connectors := range h.byPartition {
		for _, id := range connectors {
			if !yield(lease.Holding{Partition: p, Connector: id}) {
				return
			}
		}
	}
}

// reach waits until everything below next was read.
func (c *control) reach(ctx context.Context, next int64) error {
	for {
		c.mu.Lock()
		reached, moved := c.next >= next, c.moved
		c.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newestClaim is the offset of the newest claim that was read, or -1.
func (c *control) newestClaim() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.Claim()
}

// tokenAge is how long after its iat a token can expire; 0 for any time.
func (c *control) tokenAge() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.machine.TokenAge()
}

// due waits until there are connectors that the owner with that claim is to
// declare down and that are not among those that it is declaring, to which it
// adds them.
func (c *control) due(ctx context.Context, claim int64, declaring *underWay[string]) ([]lease.Death, error) {
	for {
		c.mu.Lock()
		due, moved := c.machine.Due(claim), c.moved
		c.mu.Unlock()
		due = slices.DeleteFunc(due, func(d lease.Death) bool { return !declaring.begin(d.Connector) })
		if len(due) > 0 {
			return due, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
