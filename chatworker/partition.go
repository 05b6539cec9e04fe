package chatworker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

const (
	// housekeeping is how often a partition checks whether a flush is due and
	// reports which connectors have members in it.
	housekeeping = time.Second
	// finalFlush is how long a partition that is given up may take to write
	// its state; less than the group's rebalance time-out.
	finalFlush = 2 * time.Second
)

// partition is one partition of parley.events while this worker owns it. It
// is for one goroutine, run's, except where a field says otherwise.
type partition struct {
	w          *Worker
	assignment eventlog.Assignment
	fold       *fold.Fold
	readFrom   int64
	from       string // where the state was taken from
	out        *outbox
	forwarder  *forwarder

	// Owned by the flush under way, if there is one.
	state    *eventlog.Producer
	stateEnd int64 // of the partition of parley.state, if nobody claimed it

	flushing  chan error // gets the result of the flush under way; nil: none
	lastFlush time.Time
	// The next batch is the first after a checkpoint that was taken over.
	fresh bool
	// An event was applied and not all of its pushes were queued: the state is
	// ahead of the pushes and must not be written.
	ahead bool
}

// servePartition owns a partition until ctx ends.
func (w *Worker) servePartition(ctx context.Context, a eventlog.Assignment) error {
	began := time.Now()
	p, err := w.takeOver(ctx, a)
	if ctx.Err() != nil && p == nil {
		return nil
	}
	if err != nil {
		return err
	}
	w.metrics.takeovers.Record(time.Since(began).Seconds(), p.from)
	if p.fresh = p.from == takenFromCheckpoint; !p.fresh {
		w.metrics.lags.Set(a.Partition, 0) // until the next batch reports it
	}
	w.metrics.sanctions.Set(a.Partition, p.fold.Sanctions())
	if p.from != takenFromMemory { // else a rebalance left it where it was
		w.log.Info("serving a partition", "partition", a.Partition, "offset", p.fold.Next(),
			"read_from", p.readFrom, "took", time.Since(began).Round(time.Millisecond))
	}
	w.serving.Add(1)
	w.served.Store(true)
	defer w.serving.Add(-1)
	defer w.holdings.set(a.Partition, nil)
	defer w.metrics.lags.Forget(a.Partition)
	defer w.metrics.sanctions.Forget(a.Partition)
	return p.run(ctx)
}

// run serves the partition until ctx ends, and then leaves it in order.
func (p *partition) run(ctx context.Context) error {
	p.out, p.ahead, p.lastFlush = newOutbox(p.w), false, time.Now()
	reading, stop := context.WithCancel(ctx)
	batches, stopped := make(chan fetched), make(chan struct{})
	p.forwarder = newForwarder(p.w)
	forwarded := make(chan struct{})
	known := epoch.Tail{Partition: p.assignment.Partition, Offset: p.fold.Next() - 1, Digest: p.fold.Digest()}
	go func() {
		defer close(stopped)
		p.read(reading, known, batches)
	}()
	go func() {
		defer close(forwarded)
		p.forwarder.run(reading, p.assignment.Partition)
	}()
	// A flush may continue for a while after the partition is taken away.
	flushing, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)

	err := p.loop(ctx, flushing, batches)
	stop()
	<-stopped
	<-forwarded
	if err == nil {
		patience := time.AfterFunc(p.w.timing.final, func() { abandon(errTooLate) })
		defer patience.Stop()
		err = p.leave(flushing)
	}
	abandon(nil)
	if p.flushing != nil {
		<-p.flushing
	}
	if err != nil || p.ahead {
		p.state.Close()
		return err
	}
	p.w.kept.put(p)
	return nil
}

// fetched is what the reader found.
type fetched struct {
	batch eventlog.Batch
	err   error
}

// read hands over what the log holds from readFrom on, one batch ahead of the
// loop, until ctx ends or the reader fails. On every new connection it sees
// that the log is the one that was read before.
func (p *partition) read(ctx context.Context, known epoch.Tail, batches chan<- fetched) {
	id := p.assignment.Partition
	r := p.w.client.NewReader(eventlog.ReaderConfig{
		Own:   true,
		Topic: schema.TopicEvents, Partition: id, Offset: p.readFrom,
		OnReconnect: func(ctx context.Context) error {
			if err := p.w.guard(ctx); err != nil {
				return err
			}
			return known.Check(ctx, p.w.client)
		},
	})
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) {
			p.w.skipCorrupt(ctx, schema.TopicEvents, id, corrupt.Offset, err)
			batch, err = eventlog.Batch{NextOffset: corrupt.NextOffset}, nil
		}
		known.MoveTo(batch)
		select {
		case batches <- fetched{batch, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// loop applies events and writes the state now and then. It returns nil when
// ctx ends.
func (p *partition) loop(ctx, flushing context.Context, batches <-chan fetched) error {
	ticker := time.NewTicker(housekeeping)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-batches:
			if f.err != nil {
				return p.readError(ctx, f.err)
			}
			if err := p.applyBatch(ctx, f.batch); err != nil {
				return err
			}
		case b := <-p.forwarder.asks:
			p.address(b)
		case <-ticker.C:
			p.w.holdings.set(p.assignment.Partition, slices.Sorted(p.fold.Connectors()))
			if err := p.flushIfDue(flushing); err != nil {
				return err
			}
		case err := <-p.flushing:
			if p.flushing = nil; err != nil {
				return err
			}
		case err := <-p.out.failed:
			return fmt.Errorf("send pushes of partition %d: %w", p.assignment.Partition, err)
		}
	}
}

// readError adds to the error of a log that can no longer be read what to do.
func (p *partition) readError(ctx context.Context, err error) error {
	var gone *eventlog.OffsetError
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &gone):
		return epoch.Unreadable(gone)
	case errors.Is(err, eventlog.ErrLogReplaced):
		return epoch.Replaced(err)
	}
	return err
}

// applyBatch applies a batch. It returns early, between two events, when ctx ends.
func (p *partition) applyBatch(ctx context.Context, batch eventlog.Batch) error {
	m := p.w.metrics
	if p.fresh {
		p.fresh = false
		m.replayed.Add(int(batch.End - p.fold.Next()))
	}
	if n := len(batch.Records); n > 0 {
		m.batch.Record(float64(n))
	}
	shows := func() {
		m.lags.Set(p.assignment.Partition, batch.End-max(p.readFrom, p.fold.Next()))
		m.sanctions.Set(p.assignment.Partition, p.fold.Sanctions())
	}
	shows()
	defer shows()
	for i := range batch.Records {
		if ctx.Err() != nil {
			return nil
		}
		if err := p.apply(ctx, &batch.Records[i]); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		p.readFrom = batch.Records[i].Offset + 1
	}
	p.fold.Advance(batch.NextOffset)
	p.readFrom = batch.NextOffset
	return nil
}

// apply folds a record and queues its pushes.
func (p *partition) apply(ctx context.Context, rec *eventlog.Record) error {
	if rec.Offset < p.fold.Next() {
		return p.applyWithin(ctx, rec, nil) // and read for the void window only
	}
	work := p.w.eventSpans.Process(p.assignment.Partition, rec)
	err := p.applyWithin(ctx, rec, &work)
	work.End(err)
	return err
}

// applyWithin applies a record; work is nil for one that was applied before.
func (p *partition) applyWithin(ctx context.Context, rec *eventlog.Record, work *tracing.Process) error {
	e, err := schema.DecodeEvent(rec.Value)
	corrupt := errors.Is(err, schema.ErrCorrupt)
	switch {
	case corrupt && work == nil:
		return nil
	case corrupt:
		work.End(err)
		p.w.skipCorrupt(work.In(ctx), schema.TopicEvents, p.assignment.Partition, rec.Offset, err)
		p.fold.Advance(rec.Offset + 1)
		p.fold.Remember(epoch.Digest(rec))
		return nil
	case err != nil:
		return fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	outs, err := p.fold.Apply(rec.Offset, e)
	if err != nil || work == nil {
		return err
	}
	p.w.events.Add(1)
	p.w.metrics.events.Add(1)
	p.fold.Remember(epoch.Digest(rec))
	for _, o := range outs {
		if err := p.out.send(ctx, o, work); err != nil {
			p.ahead = true
			return err
		}
	}
	return nil
}
