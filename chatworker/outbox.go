package chatworker

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/tracing"
)

// outbox sends the pushes of one partition through the producer that all
// partitions share, and knows which of them are acknowledged. It is for the
// goroutine of its partition.
type outbox struct {
	w      *Worker
	open   *barrier
	buf    []byte     // reused: the producer copies
	failed chan error // holds the first failure
}

func newOutbox(w *Worker) *outbox {
	return &outbox{w: w, open: newBarrier(), failed: make(chan error, 1)}
}

// send queues a push; it waits while too much is not acknowledged. The push
// continues the trace of its event.
func (o *outbox) send(ctx context.Context, out fold.Out, event *tracing.Process) error {
	var err error
	o.buf, err = proto.MarshalOptions{}.MarshalAppend(o.buf[:0], out.Push)
	if err != nil {
		return fmt.Errorf("encode push: %w", err)
	}
	size := int64(len(o.buf) + pushCost)
	// An event whose pushes have room is sent whole, even when ctx has ended.
	if !o.w.budget.TryAcquire(size) {
		if err := o.w.budget.Acquire(ctx, size); err != nil {
			return err
		}
	}
	o.w.queued.Add(size)
	span, headers := event.Send(o.w.pushSpans, int(out.PushPartition), len(o.buf))
	rec := eventlog.Record{Key: []byte(out.Push.Connector), Value: o.buf, Headers: headers}
	group := o.open
	group.add()
	err = o.w.pushes.Produce(int(out.PushPartition), rec, func(offset int64, err error) {
		span.Acknowledged(offset, err)
		o.w.release(size)
		if err != nil {
			o.fail(err)
			return
		}
		o.w.pushed.Add(1)
		o.w.metrics.pushes.Add(1)
		group.acknowledge()
	})
	if err != nil {
		span.End(err)
		o.w.release(size)
	}
	return err
}

// release gives room for pushes back.
func (w *Worker) release(size int64) {
	w.queued.Add(-size)
	w.budget.Release(size)
}

// fail keeps the first failure. A group with a failed push never passes.
func (o *outbox) fail(err error) {
	select {
	case o.failed <- err:
	default:
	}
}

// seal returns a channel that is closed once every push sent up to now, since
// the seal before, is acknowledged.
func (o *outbox) seal() <-chan struct{} {
	sealed := o.open
	o.open = newBarrier()
	sealed.acknowledge()
	return sealed.passed
}

// barrier passes once everything that was added is acknowledged, and one more:
// the seal.
type barrier struct {
	missing atomic.Int64
	passed  chan struct{}
}

func newBarrier() *barrier {
	b := &barrier{passed: make(chan struct{})}
	b.missing.Store(1)
	return b
}

func (b *barrier) add() { b.missing.Add(1) }

func (b *barrier) acknowledge() {
	if b.missing.Add(-1) == 0 {
		close(b.passed)
	}
}
