// Package epoch opens the log: it creates what is missing, writes the marker
// with which every partition of the events begins, and refuses a log that is
// not the one that other state belongs to.
package epoch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Log identifies one incarnation of the log. All positions count within it.
type Log struct {
	Epoch string
	// TopicID is Kafka's id of the topic of the events.
	TopicID [16]byte
	// Partitions of the events.
	Partitions int
	// Window is the width of the void window in offsets.
	Window int64
	// Format is the one in force at the beginning of partition 0.
	Format int32
}

// Options are used when the log does not exist yet.
type Options struct {
	// Partitions to create it with; 0 means schema.LaptopPartitions.
	Partitions int
	// Replication factor of its topics; 0 leaves it to the brokers.
	Replication int
	Logger      *slog.Logger
}

// Refused is a log that must not be used, for an operator to decide about.
type Refused struct{ reason string }

func (e *Refused) Error() string { return e.reason }

// Refuse returns a *Refused with that reason.
func Refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// Open waits for the brokers, creates topics and markers that are missing, and
// returns the log. Any number of processes may do so at once: the first marker
// wins. The error is a *Refused, an *eventlog.TopicError, a
// *schema.NewerError, or that of ctx.
func Open(ctx context.Context, c *eventlog.Client, o Options) (Log, error) {
	if err := c.WaitReady(ctx); err != nil {
		return Log{}, err
	}
	memory, err := readMemory(ctx, c)
	if err == nil {
		err = memory.checkFormat()
	}
	if err != nil {
		return Log{}, err
	}
	known, wanted := memory.epoch, o.Partitions
	if known != nil {
		wanted = int(known.Partitions)
	}
	partitions, err := existingPartitions(ctx, c, wanted)
	if err != nil {
		return Log{}, err
	}
	if known != nil && partitions != int(known.Partitions) {
		return Log{}, moved(partitions, int(known.Partitions))
	}
	if err := c.EnsureTopics(ctx, Topics(partitions, o.Replication)); err != nil {
		return Log{}, err
	}
	info, err := c.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return Log{}, err
	}
	log := Log{TopicID: info.ID, Partitions: info.Partitions}
	if err := log.mark(ctx, c); err != nil {
		return Log{}, err
	}
	return log, log.claim(ctx, c)
}

// existingPartitions is the number of partitions of a log that is there, else
// the wanted one.
func existingPartitions(ctx context.Context, c *eventlog.Client, wanted int) (int, error) {
	info, err := c.TopicInfo(ctx, schema.TopicEvents)
	switch {
	case err == nil:
		return info.Partitions, nil
	case !errors.Is(err, eventlog.ErrUnknownTopic):
		return 0, fmt.Errorf("look up the log: %w", err)
	case wanted == 0:
		return schema.LaptopPartitions, nil
	}
	return wanted, nil
}

// safeReplication is the replication at which the loss of a machine loses
// nothing that was acknowledged, once two of them have it.
const safeReplication = 3

// Topics are the topics of a log with that many partitions and that
// replication factor, as Open creates them and checks them; 0 leaves the
// replication to the brokers.
func Topics(partitions, replication int) []eventlog.Topic {
	var all []eventlog.Topic
	for _, t := range schema.Topics(partitions) {
		initial := maps.Clone(t.Initial)
		if replication >= safeReplication {
			if initial == nil {
				initial = map[string]string{}
			}
			initial["min.insync.replicas"] = "2"
		}
		all = append(all, eventlog.Topic{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: replication, Config: t.Config, Initial: initial})
	}
	return all
}

// mark sees to it that every partition begins with a marker of one epoch.
func (l *Log) mark(ctx context.Context, c *eventlog.Client) error {
	producer := c.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	own := &schema.Marker{Epoch: ulid.Make().String(), Format: schema.NewestFormat, Window: schema.Window}
	first, err := markPartition(ctx, c, producer, 0, own)
	if err != nil {
		return err
	}
	l.Epoch, l.Format, l.Window = first.Epoch, first.Format, first.Window
	g, ctx := errgroup.WithContext(ctx)
	for p := 1; p < l.Partitions; p++ {
		g.Go(func() error {
			m, err := markPartition(ctx, c, producer, p, first)
			if err == nil && m.Epoch != l.Epoch {
				return Refuse("partition %d of %s is of epoch %s, partition 0 of %s: the topic was put together from two logs; restore it from one", p, schema.TopicEvents, m.Epoch, l.Epoch)
			}
			return err
		})
	}
	return g.Wait()
}

// markPartition returns the marker at offset 0, written by us when the
// partition was empty.
func markPartition(ctx context.Context, c *eventlog.Client, producer *eventlog.Producer, partition int, m *schema.Marker) (*schema.Marker, error) {
	first, end, err := c.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return nil, fmt.Errorf("find the beginning of %s/%d: %w", schema.TopicEvents, partition, err)
	}
	if first > 0 {
		return nil, Refuse("partition %d of %s begins at offset %d: its older events were deleted, which parley keeps for ever; restore the topic, or set its retention.ms to -1 and begin a new epoch with `parley epoch new`", partition, schema.TopicEvents, first)
	}
	if end == 0 {
		if err := appendEvent(ctx, producer, partition, &schema.Event{Kind: &schema.Event_Marker{Marker: m}}); err != nil {
			return nil, fmt.Errorf("write the marker of %s/%d: %w", schema.TopicEvents, partition, err)
		}
	}
	return readMarker(ctx, c, partition)
}

func appendEvent(ctx context.Context, producer *eventlog.Producer, partition int, e *schema.Event) error {
	e.Time = time.Now().UnixMilli()
	value, err := proto.Marshal(e)
	if err != nil {
		return err
	}
	_, err = producer.ProduceSync(ctx, partition, eventlog.Record{Value: value})
	return err
}

func readMarker(ctx context.Context, c *eventlog.Client, partition int) (*schema.Marker, error) {
	var marker *schema.Marker
	err := c.ReadRange(ctx, schema.TopicEvents, partition, 0, 1, 1<<20, func(r eventlog.Record) error {
		e, err := schema.DecodeEvent(r.Value)
		marker = e.GetMarker()
		return err
	})
	if err != nil && !errors.Is(err, schema.ErrCorrupt) {
		return nil, fmt.Errorf("read the marker of %s/%d: %w", schema.TopicEvents, partition, err)
	}
	if marker == nil {
		return nil, Refuse("partition %d of %s does not begin with parley's marker: another program wrote into it; delete the topic if it is not in use", partition, schema.TopicEvents)
	}
	return marker, nil
}

// Check reports, with a *Refused, when the topic of the events is not the one
// that was opened any more. Readers call it on every new connection.
func (l Log) Check(ctx context.Context, c *eventlog.Client) error {
	info, err := c.TopicInfo(ctx, schema.TopicEvents)
	switch {
	case errors.Is(err, eventlog.ErrUnknownTopic):
		return Refuse("topic %s is gone: restore it, or begin a new epoch with `parley epoch new`", schema.TopicEvents)
	case err != nil:
		return fmt.Errorf("check the log: %w", err)
	case info.ID != l.TopicID:
		return Refuse("topic %s was deleted and created again: what is stored elsewhere belongs to epoch %s; restore the topic, or begin a new epoch with `parley epoch new`", schema.TopicEvents, l.Epoch)
	case info.Partitions != l.Partitions:
		return moved(info.Partitions, l.Partitions)
	}
	return nil
}

// moved is the refusal of another number of partitions.
func moved(now, before int) error {
	return Refuse("topic %s has %d partitions and had %d: channels would move; restore the topic with the count it was created with, or begin a new epoch with `parley epoch new`", schema.TopicEvents, now, before)
}
