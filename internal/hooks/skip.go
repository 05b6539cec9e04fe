package hooks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	if err := checkThere(ctx, kafka, name, partition); err != nil {
		return err
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

// checkThere refuses a name under which no hooks have begun with a partition.
func checkThere(ctx context.Context, kafka *eventlog.Client, name string, partition int) error {
	names, err := begun(ctx, kafka, partition)
	switch {
	case err != nil:
		return fmt.Errorf("look which names hooks have: %w", err)
	case names[name]:
		return nil
	case len(names) == 0:
		return fmt.Errorf("there are no hooks named %s: `parley hooks` has not begun with partition %d under any name", name, partition)
	}
	return fmt.Errorf("there are no hooks named %s: the names are %s", name, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
}

// begun are the names of the hooks that have a position in a partition of the log.
func begun(ctx context.Context, kafka *eventlog.Client, partition int) (map[string]bool, error) {
	_, end, err := kafka.Offsets(ctx, schema.TopicHooks, partition)
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names map[string]bool
	begin := func() { names = map[string]bool{} }
	err = readKept(ctx, kafka, partition, end, begin, func(r eventlog.Record) error {
		if name, key, ok := schema.HooksOf(string(r.Key)); ok && key == schema.HooksKeyFrom {
			names[name] = true
		}
		return nil
	})
	return names, err
}
