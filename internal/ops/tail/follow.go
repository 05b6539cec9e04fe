package tail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Kinds are the names of the kinds of records in the log.
var Kinds = []string{
	"marker", "format", "join", "chat", "leave", "down", "change", "pin", "sanction", "purge", "set", "watch", "unwatch", "corrupt",
}

// Positions in a partition from which on it is read; offsets from 0 on are
// others.
const (
	Beginning int64 = -2
	End       int64 = -1
)

// Options are what to read.
type Options struct {
	// Channel is the only one to read; "" for all. Events of no channel are
	// left out then, except those that end memberships of its partition.
	Channel string
	// Partition is the only one to read; -1 for all, or that of Channel.
	Partition int
	// Kinds are the only ones to read; none means all.
	Kinds []string
	// From is where to begin: Beginning, End or an offset, which takes one
	// partition.
	From int64
	// Follow continues at the end and waits for more, until the context ends.
	Follow bool
	Shown  Shown
}

// Run calls emit for the events of the log, one at a time: those of a partition
// in their order, those of several as they come. It returns when it has read
// what there was when it began or, with Follow, when ctx ends; then its error
// is nil. An error of emit ends it too.
func Run(ctx context.Context, kafka *eventlog.Client, o Options, emit func(Event) error) error {
	log, err := epoch.Inspect(ctx, kafka)
	if err != nil {
		return err
	}
	partitions, err := o.partitions(log.Partitions)
	if err != nil {
		return err
	}
	f := &follower{kafka: kafka, log: log, o: o, emit: emit}
	g, running := errgroup.WithContext(ctx)
	for _, p := range partitions {
		g.Go(func() error { return f.partition(running, p) })
	}
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

func (o *Options) partitions(count int) ([]int, error) {
	only := o.Partition
	if o.Channel != "" {
		own := schema.PartitionOf(o.Channel, count)
		if only >= 0 && only != own {
			return nil, fmt.Errorf("channel %q is in partition %d, not in %d", o.Channel, own, only)
		}
		only = own
	}
	switch {
	case only >= count:
		return nil, fmt.Errorf("there is no partition %d: the log has 0 to %d", only, count-1)
	case only >= 0:
		return []int{only}, nil
	case o.From >= 0 && count > 1:
		return nil, errors.New("an offset means a place in one partition: name the partition or a channel as well")
	}
	all := make([]int, count)
	for p := range all {
		all[p] = p
	}
	return all, nil
}

// follower reads partitions.
type follower struct {
	kafka *eventlog.Client
	log   epoch.Log
	o     Options

	mu   sync.Mutex // one event at a time
	emit func(Event) error
}

// partition reads one, from a window earlier so that the rule for void events
// is right from the first event shown on.
func (f *follower) partition(ctx context.Context, partition int) error {
	first, end, err := f.kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return err
	}
	from := f.o.From
	switch {
	case from == Beginning:
		from = first
	case from == End:
		from = end
	case from < first:
		return fmt.Errorf("partition %d begins at offset %d: what was at %d was deleted", partition, first, from)
	case from > end:
		return fmt.Errorf("partition %d ends at offset %d: there is no %d yet", partition, end, from)
	}
	if !f.o.Follow && from >= end {
		return nil
	}
	r := f.kafka.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: partition, Offset: min(end, max(first, from-f.log.Window)),
		OnReconnect: func(ctx context.Context) error { return f.log.Check(ctx, f.kafka) },
	})
	defer r.Close()
	window := schema.NewVoidWindow(f.log.Window)
	for next := int64(0); f.o.Follow || next < end; {
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) {
			err = f.corrupt(partition, from, corrupt)
			batch.NextOffset = corrupt.NextOffset
		}
		if err != nil {
			return err
		}
		for i := range batch.Records {
			rec := &batch.Records[i]
			if !f.o.Follow && rec.Offset >= end {
				return nil
			}
			if err := f.record(partition, from, rec, window); err != nil {
				return err
			}
		}
		next = batch.NextOffset
	}
	return nil
}

// corrupt shows a stretch that no consumer can read.
func (f *follower) corrupt(partition int, from int64, c *eventlog.CorruptError) error {
	if c.Offset < from {
		return nil
	}
	return f.show(Event{Partition: partition, Offset: c.Offset, Kind: "corrupt", Error: c.Err.Error()})
}

func (f *follower) record(partition int, from int64, rec *eventlog.Record, window *schema.VoidWindow) error {
	e, err := schema.DecodeEvent(rec.Value)
	corrupt := errors.Is(err, schema.ErrCorrupt)
	if err != nil && !corrupt {
		return fmt.Errorf("offset %d of partition %d: %w", rec.Offset, partition, err)
	}
	void := !corrupt && e.GetMarker() == nil && window.Judge(rec.Offset, e)
	if rec.Offset < from {
		return nil
	}
	out := eventOf(partition, rec, e, f.o.Shown)
	out.Void = void
	if corrupt {
		out.Error = err.Error()
	}
	return f.show(out)
}

// show emits an event that was asked for.
func (f *follower) show(e Event) error {
	if len(f.o.Kinds) > 0 && !slices.Contains(f.o.Kinds, e.Kind) {
		return nil
	}
	if f.o.Channel != "" && e.Channel != f.o.Channel && e.Kind != "down" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.emit(e)
}
