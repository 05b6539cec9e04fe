package connector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

// appender appends events to the log: an *eventlog.Producer, or a simulated one.
type appender interface {
	Append(partition int, r eventlog.Record, done func(eventlog.Ack)) error
	Unacked() (oldest time.Time, n int)
	Flush(ctx context.Context) error
	Close() error
}

// publisher appends the events of an incarnation to the log. Safe for concurrent
// use.
type publisher struct {
	connector string
	producer  appender
	topic     *tracing.Topic
	heights   *heights // of the connector
	metrics   *metrics
	fail      func(error) // ends the incarnation
	now       func() time.Time
	writers   []writer // by partition
}

// writer numbers the events of one partition.
type writer struct {
	mu      sync.Mutex
	counter uint64
}

// publish appends an event, within a request's span. done gets its offset once it
// is durable on all in-sync replicas, on a goroutine that must not wait. With an
// error nothing was queued and done is not called.
func (l *publisher) publish(partition int, channel string, e *schema.Event, within tracing.Span, done func(eventlog.Ack)) error {
	w := &l.writers[partition]
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	e.Time, e.Connector, e.Counter = l.now().UnixMilli(), l.connector, w.counter+1
	value, err := proto.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	rec := eventlog.Record{Key: []byte(channel), Value: value}
	span := l.topic.Send(within, partition, len(value))
	rec.Headers = span.Headers()
	err = l.producer.Append(partition, rec, func(a eventlog.Ack) {
		span.Acknowledged(a.Offset, a.Err)
		if errors.Is(a.Err, eventlog.ErrLogReplaced) {
			l.fail(epoch.Replaced(a.Err))
		}
		if a.Err == nil {
			l.heights.note(partition, a.Offset)
			l.metrics.acknowledged(e, time.Since(began))
		}
		done(a)
	})
	if err != nil {
		span.End(err)
		if !errors.Is(err, eventlog.ErrQueueFull) && !errors.Is(err, eventlog.ErrRecordTooLarge) {
			l.fail(err) // the producer has ended
		}
		return err
	}
	w.counter++
	return nil
}
