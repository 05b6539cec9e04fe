// Package epoch opens the log: it creates what is missing, writes the marker
// with which every partition of the events begins, and refuses a log that is
// not the one that other state belongs to.
package epoch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// Options are what Open may do where there is no log yet.
type Options struct {
	// Partitions to create it with; 0 means schema.LaptopPartitions.
	Partitions int
	// Replication factor of its topics; 0 leaves it to the brokers.
	Replication int
	// Approve is asked before a log is created, by roles that can ask ClickHouse
	// whether it holds the history of one; its error is Open's. With nil nobody
	// is asked.
	Approve func(context.Context) error
	// Await leaves the beginning to roles that can ask: Open waits for them.
	Await  bool
	Logger *slog.Logger
}

// Refused is a log that must not be used, for an operator to decide about.
type Refused struct{ reason string }

func (e *Refused) Error() string { return e.reason }

// Refuse returns a *Refused with that reason.
func Refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// Remedy is what to do about a log that is not the one that the rest of the
// system knows.
const Remedy = "restore the topic, or begin a new epoch with `parley epoch new`"

// Replaced is the refusal of a topic that is another one than before, as err
// says, an eventlog.ErrLogReplaced.
func Replaced(err error) error { return Refuse("%v; "+Remedy, err) }

// Open waits for the brokers and returns the log. It begins one where there is
// none and parley.control remembers none, as its options say; any number of
// processes may do so at once, and the first marker wins. A log that is
// remembered and no longer exists is refused before anything is created. Of one
// that exists, partitions may lack their beginning: see [Cut]. The error is a
// *Refused, an *admin.TopicError, a *schema.NewerError, that of Approve, or
// that of ctx.
func Open(ctx context.Context, c *eventlog.Client, o Options) (Log, error) {
	if err := c.WaitReady(ctx); err != nil {
		return Log{}, err
	}
	memory, err := readMemory(ctx, c)
	if err == nil {
		err = memory.checkFormat()
	}
	switch {
	case err != nil:
		return Log{}, err
	case memory.epoch != nil:
		return resume(ctx, c, memory, o)
	case o.Await:
		if err := await(ctx, c, o.Logger); err != nil {
			return Log{}, err
		}
	}
	return begin(ctx, c, o)
}

// resume opens the log that parley.control remembers. It writes nothing into
// the topic of the events, and does not create it.
func resume(ctx context.Context, c *eventlog.Client, memory memory, o Options) (Log, error) {
	known := memory.epoch
	info, err := topicOf(ctx, c, known)
	if err != nil {
		return Log{}, err
	}
	log := Log{Epoch: known.Epoch, TopicID: info.ID, Partitions: info.Partitions, Window: schema.Window, Format: 1}
	if err := log.compare(known); err != nil {
		return Log{}, err
	}
	b, err := beginnings(ctx, c, info.Partitions)
	switch {
	case err != nil:
		return Log{}, err
	case b.marker != nil && b.marker.Epoch != known.Epoch:
		return Log{}, Refuse("%s holds epoch %s, but epoch %s is in use here: the topic was replaced; restore it, or begin a new epoch with `parley epoch new`", schema.TopicEvents, b.marker.Epoch, known.Epoch)
	case len(b.empty) > 0:
		return Log{}, emptied(b.empty, known.Epoch)
	case b.marker != nil:
		log.Format, log.Window = b.marker.Format, b.marker.Window
	}
	if err := log.CheckHistory(ctx, c, memory.history); err != nil {
		return Log{}, err
	}
	return log, ensureTopics(ctx, c, info.Partitions, &o)
}

// begin creates topics and markers that are missing.
func begin(ctx context.Context, c *eventlog.Client, o Options) (Log, error) {
	if err := mayBegin(ctx, c, o); err != nil {
		return Log{}, err
	}
	partitions, err := existingPartitions(ctx, c, o.Partitions)
	if err != nil {
		return Log{}, err
	}
	if err := ensureTopics(ctx, c, partitions, &o); err != nil {
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

// mayBegin asks whether markers may be written, unless all are there. Some may
// be: a start was interrupted, or partitions were lost.
func mayBegin(ctx context.Context, c *eventlog.Client, o Options) error {
	if o.Approve == nil {
		return nil
	}
	begun, err := isBegun(ctx, c)
	if err != nil || begun {
		return err
	}
	asked := o.Approve(ctx)
	var refused *Refused
	if !errors.As(asked, &refused) {
		return asked
	}
	// Another role may meanwhile have begun the log and recorded it in ClickHouse.
	b, err := lookUp(ctx, c)
	switch {
	case err != nil:
		return err
	case b.complete():
		return nil
	case b.marker != nil:
		return emptied(b.empty, b.marker.Epoch)
	}
	return asked
}

// isBegun reports whether every partition of a log has begun.
func isBegun(ctx context.Context, c *eventlog.Client) (bool, error) {
	b, err := lookUp(ctx, c)
	return b.complete(), err
}

// lookUp is how the log begins, with no partitions where it has no topic.
func lookUp(ctx context.Context, c *eventlog.Client) (beginning, error) {
	info, err := c.TopicInfo(ctx, schema.TopicEvents)
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		return beginning{}, nil
	} else if err != nil {
		return beginning{}, fmt.Errorf("look up the log: %w", err)
	}
	return beginnings(ctx, c, info.Partitions)
}

// awaitEvery is how often to look for a log that others are to begin.
const awaitEvery = 100 * time.Millisecond

// await returns when there is a log whose every partition has begun.
func await(ctx context.Context, c *eventlog.Client, logger *slog.Logger) error {
	for waiting := false; ; {
		begun, err := isBegun(ctx, c)
		if err != nil {
			return err
		}
		if begun {
			return nil
		}
		if !waiting && logger != nil {
			logger.Info("there is no log yet: waiting for a connector or a projector, which ask ClickHouse first, to begin it")
		}
		waiting = true
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitEvery):
		}
	}
}

// existingPartitions is the number of partitions of an existing log, else the
// wanted one.
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

// mark makes sure that every partition begins with a marker of one epoch.
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

// Check reports, with a *Refused, when the topic of the events is no longer
// the one that was opened. Readers call it on every new connection.
func (l Log) Check(ctx context.Context, c *eventlog.Client) error {
	info, err := topicOf(ctx, c, l.remembered())
	if err != nil {
		return err
	}
	now := Log{Epoch: l.Epoch, TopicID: info.ID, Partitions: info.Partitions}
	return now.compare(l.remembered())
}

// goneAfter is for how long a topic must be unknown to count as gone: a broker
// that starts may not know its topics at once.
const goneAfter = 2 * time.Second

// topicOf looks up the topic of a log that is remembered. One that is gone is a
// *Refused.
func topicOf(ctx context.Context, c *eventlog.Client, known *schema.LogEpoch) (eventlog.TopicInfo, error) {
	for since := time.Now(); ; {
		info, err := c.TopicInfo(ctx, schema.TopicEvents)
		switch {
		case err == nil:
			return info, nil
		case !errors.Is(err, eventlog.ErrUnknownTopic):
			return info, fmt.Errorf("look up the log: %w", err)
		case time.Since(since) > goneAfter:
			return info, Gone(known)
		}
		select {
		case <-ctx.Done():
			return info, ctx.Err()
		case <-time.After(awaitEvery):
		}
	}
}

// Gone is the refusal of a log whose topic no longer exists.
func Gone(known *schema.LogEpoch) error {
	return Refuse("topic %s is gone, and the log of epoch %s was in it: restore it, or begin a new epoch with `parley epoch new`", schema.TopicEvents, known.Epoch)
}

// emptied is the refusal of partitions that have lost everything.
func emptied(partitions []int, epoch string) error {
	return Refuse("partitions %v of %s are empty, and the log of epoch %s was in them: restore it, or begin a new epoch with `parley epoch new`", partitions, schema.TopicEvents, epoch)
}

// moved is the refusal of a changed number of partitions.
func moved(now, before int) error {
	return Refuse("topic %s has %d partitions and had %d: channels would move; restore the topic with the count it was created with, or begin a new epoch with `parley epoch new`", schema.TopicEvents, now, before)
}
