package hooks

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Skip makes the hooks of a name leave out the events of a partition below an offset,
// when they wait for the receiver to take one of them, or are started. log is
// the one that the offset belongs to.
func Skip(ctx context.Context, kafka *eventlog.Client, log epoch.Log, name string, partition int, below int64) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if partition < 0 || partition >= log.Partitions {
		return fmt.Errorf("there is no partition %d: the log has %d, from 0", partition, log.Partitions)
	}
	_, end, err := kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return err
	}
	if below < 1 || below > end {
		return fmt.Errorf("seq %d is not in partition %d: it has [0, %d)", below-1, partition, end)
	}
	value, err := proto.Marshal(&schema.HooksFrom{Next: below, Epoch: log.Epoch})
	if err != nil {
		return err
	}
	producer := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicHooks})
	defer func() { _ = producer.Close() }()
	done := make(chan error, 1)
	rec := eventlog.Record{Key: []byte(schema.HooksKey(name, schema.HooksKeySkip)), Value: value}
	if err := producer.Produce(partition, rec, func(_ int64, err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
