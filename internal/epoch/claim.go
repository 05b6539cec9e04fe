package epoch

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// controlBudget bounds a read of parley.control, of which compaction leaves a
// fraction.
const controlBudget = 256 << 20

// ReadControl calls fn with every record that parley.control holds now, in
// order. What is corrupt is skipped.
func ReadControl(ctx context.Context, c *eventlog.Client, fn func(eventlog.Record) error) error {
	next, end, err := c.Offsets(ctx, schema.TopicControl, 0)
	for err == nil && next < end {
		err = c.ReadRange(ctx, schema.TopicControl, 0, next, end, controlBudget, fn)
		var corrupt *eventlog.CorruptError
		if !errors.As(err, &corrupt) {
			break
		}
		next, err = corrupt.NextOffset, nil
	}
	switch {
	case errors.Is(err, eventlog.ErrBudget):
		return fmt.Errorf("%s holds more than %d MiB, so it is not compacted: make sure that the brokers' log cleaner runs, and that the topic's segment.bytes is 50 MiB", schema.TopicControl, controlBudget>>20)
	case err != nil:
		return fmt.Errorf("read %s: %w", schema.TopicControl, err)
	}
	return nil
}

// claim compares the log with what parley.control remembers of it, and records a
// new one there.
func (l Log) claim(ctx context.Context, c *eventlog.Client) error {
	known, err := Remembered(ctx, c)
	if err != nil {
		return err
	}
	if known != nil {
		return l.compare(known)
	}
	return l.remember(ctx, c)
}

func (l Log) compare(known *schema.LogEpoch) error {
	switch {
	case string(known.TopicId) != string(l.TopicID[:]):
		return Refuse("topic %s was deleted and created again: what is stored elsewhere belongs to epoch %s; "+Remedy, schema.TopicEvents, known.Epoch)
	case known.Epoch != l.Epoch:
		return Refuse("%s holds epoch %s, but epoch %s is in use here: the topic was replaced; restore it, or begin a new epoch with `parley epoch new`", schema.TopicEvents, l.Epoch, known.Epoch)
	case int(known.Partitions) != l.Partitions:
		return moved(l.Partitions, int(known.Partitions))
	}
	return nil
}

// remembered is l as parley.control remembers it.
func (l Log) remembered() *schema.LogEpoch {
	return &schema.LogEpoch{Epoch: l.Epoch, TopicId: l.TopicID[:], Partitions: int32(l.Partitions)}
}

func (l Log) remember(ctx context.Context, c *eventlog.Client) error {
	value, err := proto.Marshal(l.remembered())
	if err != nil {
		return err
	}
	if err := write(ctx, c, schema.ControlKeyEpoch, value); err != nil {
		return fmt.Errorf("remember the epoch: %w", err)
	}
	return nil
}

// write appends a record to parley.control.
func write(ctx context.Context, c *eventlog.Client, key string, value []byte) error {
	producer := c.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	defer producer.Close()
	_, err := producer.ProduceSync(ctx, 0, eventlog.Record{Key: []byte(key), Value: value})
	return err
}
