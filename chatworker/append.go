package chatworker

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
)

// entry is a record and where it goes.
type entry struct {
	partition  int
	key, value []byte // a nil value is a tombstone
}

// newEntry encodes a message.
func newEntry(partition int, key string, m proto.Message) (entry, error) {
	value, err := proto.Marshal(m)
	if err != nil {
		return entry{}, err
	}
	if value == nil {
		value = []byte{}
	}
	e := entry{partition: partition, value: value}
	if key != "" {
		e.key = []byte(key)
	}
	return e, nil
}

// appendAll appends records, in order, and waits until all are acknowledged.
// It returns the offset of the last one. When ctx ends first, the records may
// or may not have been written.
func appendAll(ctx context.Context, p *eventlog.Producer, entries ...entry) (int64, error) {
	if len(entries) == 0 {
		return 0, errors.New("nothing to append")
	}
	a := &appending{missing: len(entries), done: make(chan struct{})}
	for i, e := range entries {
		if err := produce(ctx, p, e, a.acknowledge(i == len(entries)-1)); err != nil {
			return 0, err
		}
	}
	select {
	case <-a.done:
		return a.last, a.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// produce queues a record, and waits where the queue is full.
func produce(ctx context.Context, p *eventlog.Producer, e entry, done func(int64, error)) error {
	for {
		err := p.Produce(e.partition, eventlog.Record{Key: e.key, Value: e.value}, done)
		if !errors.Is(err, eventlog.ErrQueueFull) {
			return err
		}
		if err := p.Flush(ctx); err != nil {
			return err
		}
	}
}

// appending counts acknowledgements. last and err may be read once done is
// closed.
type appending struct {
	mu      sync.Mutex
	missing int
	last    int64
	err     error
	done    chan struct{}
}

func (a *appending) acknowledge(isLast bool) func(int64, error) {
	return func(offset int64, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if isLast {
			a.last = offset
		}
		if err != nil && a.err == nil {
			a.err = err
		}
		if a.missing--; a.missing == 0 {
			close(a.done)
		}
	}
}
