package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

const (
	// What may be appended and not committed yet: so much has to be looked for after a
	// crash. One command may be more. A note's version stands for these.
	maxOpenEvents = 8192
	maxOpenBytes  = 4 << 20

	// fetchBytes is about how much of a partition of commands is read at once.
	fetchBytes = 1 << 20
	// queueBytes is how much of a partition waits for its acknowledgement.
	queueBytes = 16 << 20
	// commitEvery is how often progress is committed, if there was any.
	commitEvery = 100 * time.Millisecond
	// measureEvery is how old the ends may be that are committed: so much more has to
	// be read after a crash.
	measureEvery = 5 * time.Second
	roomPoll     = time.Millisecond // how often room in the queue is looked for
)

// owner carries out the commands of one partition. It is for one goroutine, but for
// what acknowledgements touch.
type owner struct {
	*session
	decoder  decoder
	a        eventlog.Assignment
	producer *eventlog.Producer
	rejected *eventlog.Producer

	connector string              // in whose name it appends: its own, once for each takeover
	counters  []uint64            // by partition of the events
	there     map[schema.Act]bool // of the commands in doubt: whether the log has them
	doubt     int64               // commands from here on are not in doubt
	from      []int64             // by partition of the events: where what those in doubt ask for may begin
	keys      []string            // in whose names those in doubt may have acted: our own, and those of owners before

	next        int64     // the command to take next
	begun       bool      // some of what it asks for is appended: nothing can be committed
	committed   int64     // what the group has
	committedAt time.Time // when
	measured    time.Time // when ends were asked for
	events      int       // that are appended and not committed
	bytes       int       // of the commands that are not committed

	mu     sync.Mutex // guards what acknowledgements touch
	ends   []int64    // by partition of the events: everything of ours that is acknowledged is below
	failed error      // the first refusal of an event or a rejection
}

// transactionalID is that of the owner of a partition of commands, under the prefix that
// roles have a right to.
func transactionalID(group string, partition int) string {
	return fmt.Sprintf("worker-%s-%d", group, partition)
}

// own takes a partition over, and carries out its commands until ctx ends or something
// keeps it from that.
func (s *session) own(ctx context.Context, a eventlog.Assignment) error {
	o := &owner{
		session: s, a: a, connector: ulid.Make().String(), counters: make([]uint64, s.log.Partitions),
		decoder: decoder{topic: s.topic.ID, key: s.i.cfg.Key, limits: &s.i.cfg.Limits},
		ends:    make([]int64, s.log.Partitions),
	}
	o.producer = s.kafka.NewProducer(eventlog.ProducerConfig{
		Topic: schema.TopicEvents, TransactionalID: transactionalID(s.i.cfg.Group, a.Partition), MaxBytes: queueBytes, Compress: true,
	})
	defer o.producer.Close()
	o.rejected = s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicRejected, MaxBytes: rejectedQueue})
	defer o.rejected.Close()
	end, err := o.takeOver(ctx)
	if err != nil {
		return err
	}
	s.i.progress.lags.Set(a.Partition, end-o.next)
	s.i.progress.serving.Add(1)
	s.i.progress.served.Store(true)
	defer s.i.progress.serving.Add(-1)
	defer s.i.progress.lags.Forget(a.Partition)
	if err := o.follow(ctx); ctx.Err() == nil {
		return err
	}
	return o.release(ctx)
}

// release gives the partition up in order: the next owner has less to look for.
func (o *owner) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if o.begun { // a commit would note ends beyond what is appended of it
		return nil
	}
	if err := o.commit(ctx); err != nil {
		o.i.cfg.Logger.Debug("what was carried out last is not committed: the next owner looks for it", "partition", o.a.Partition, "error", err)
	}
	return nil
}

// follow reads commands and carries them out.
func (o *owner) follow(ctx context.Context) error {
	reader := o.reader(o.next)
	defer reader.Close()
	for {
		batch, err := o.read(ctx, reader)
		var cut *eventlog.OffsetError
		var corrupt *eventlog.CorruptError
		switch {
		case errors.As(err, &cut):
			reader.Close()
			o.lose(o.next, cut.First)
			o.next = cut.First
			reader = o.reader(o.next)
			continue
		case errors.As(err, &corrupt):
			o.i.metrics.corrupt.Add(int(corrupt.NextOffset-corrupt.Offset), schema.TopicCommands)
			o.i.cfg.Logger.Error("corrupt records are skipped", "topic", schema.TopicCommands, "partition", o.a.Partition, "offset", corrupt.Offset, "error", corrupt.Err)
			o.next = corrupt.NextOffset
			continue
		case err != nil:
			return err
		}
		o.i.progress.lags.Set(o.a.Partition, batch.End-o.next)
		for i := range batch.Records {
			if err := o.take(ctx, &batch.Records[i]); err != nil {
				return err
			}
		}
		o.next = max(o.next, batch.NextOffset)
		o.i.progress.lags.Set(o.a.Partition, batch.End-o.next)
	}
}

// lose notes that commands were deleted which nobody has read.
func (o *owner) lose(from, to int64) {
	o.i.metrics.lost.Add(int(max(0, to-from)))
	o.i.cfg.Logger.Error("commands were deleted before they were read: ingest goes on with the oldest that is there", "partition", o.a.Partition, "from", from, "to", to)
}

func (o *owner) reader(from int64) *eventlog.Reader {
	return o.kafka.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicCommands, Partition: o.a.Partition, TopicID: o.topic.ID, Offset: from, MaxBytes: fetchBytes, Committed: true,
	})
}

// read reads on. Progress is committed before, and while there is nothing to read.
func (o *owner) read(ctx context.Context, reader *eventlog.Reader) (eventlog.Batch, error) {
	if o.next > o.committed {
		wait := commitEvery - time.Since(o.committedAt)
		if wait > 0 {
			waiting, cancel := context.WithTimeout(ctx, wait)
			batch, err := reader.Next(waiting)
			cancel()
			if waiting.Err() == nil || err == nil || ctx.Err() != nil {
				return batch, err
			}
		}
		if err := o.commit(ctx); err != nil {
			return eventlog.Batch{}, err
		}
	}
	return reader.Next(ctx)
}

// take carries one command out, or rejects it.
func (o *owner) take(ctx context.Context, rec *eventlog.Record) error {
	c, bad := o.decoder.decode(o.a.Partition, rec)
	if err := o.makeRoom(ctx, c.weight, len(rec.Value)); err != nil {
		return err
	}
	done := 0
	for i := range c.acts {
		a := &c.acts[i]
		if o.isThere(rec.Offset, a) {
			continue
		}
		refused, err := o.judge(ctx, a)
		if err == nil && refused == nil {
			done++
			o.begun = true
			err = o.append(ctx, a)
		}
		if err != nil {
			return err
		}
		if refused != nil {
			bad = refused
		}
	}
	outcome := outcomeStored
	switch {
	case bad != nil:
		outcome = outcomeRejected
		if err := o.reject(ctx, rec, bad); err != nil {
			return err
		}
	case done == 0:
		outcome = outcomeRepeated
	}
	o.i.metrics.took(c.method, outcome)
	o.next, o.begun = rec.Offset+1, false
	return nil
}

// isThere reports whether the log has what a command that is in doubt asks for.
func (o *owner) isThere(offset int64, a *params.Act) bool {
	if offset >= o.doubt {
		o.there = nil
		return false
	}
	act, _ := a.Event.Act()
	return o.there[act]
}

// makeRoom commits where one command more would be too much to look for after a crash,
// and where the ends that were committed last are old.
func (o *owner) makeRoom(ctx context.Context, events, bytes int) error {
	full := o.events > 0 && (o.events+events > maxOpenEvents || o.bytes+bytes > maxOpenBytes)
	old := o.events == 0 && time.Since(o.measured) > measureEvery
	if full || old {
		if err := o.commit(ctx); err != nil {
			return err
		}
	}
	o.events += events
	o.bytes += bytes
	return nil
}

// append appends the event of an act. It waits for room.
func (o *owner) append(ctx context.Context, a *params.Act) error {
	e := a.Event
	partition := schema.PartitionOf(a.Channel, o.log.Partitions)
	now := time.Now()
	if a.Lasts > 0 {
		e.GetSanction().Until = now.Add(a.Lasts).UnixMilli()
	}
	e.Time, e.Connector, e.Counter = now.UnixMilli(), o.connector, o.counters[partition]+1
	value, err := proto.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	rec := eventlog.Record{Key: []byte(a.Channel), Value: value}
	if err := write(ctx, o.producer, partition, rec, func(ack eventlog.Ack) { o.acked(partition, ack) }); err != nil {
		return err
	}
	o.counters[partition]++
	return nil
}

// write appends a record, once the producer's queue has room for it.
func write(ctx context.Context, to *eventlog.Producer, partition int, rec eventlog.Record, done func(eventlog.Ack)) error {
	for {
		err := to.Append(partition, rec, done)
		if !errors.Is(err, eventlog.ErrQueueFull) {
			return err
		}
		if !roles.Sleep(ctx, roomPoll) {
			return ctx.Err()
		}
	}
}

// acked takes note of what the log has answered. It runs on the producer's goroutine.
func (o *owner) acked(partition int, ack eventlog.Ack) {
	if ack.Err != nil {
		o.fail(ack.Err)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends[partition] = max(o.ends[partition], ack.Offset+1)
}

// reached reports whether a partition of the events is known to have come to an offset.
func (o *owner) reached(partition int, offset int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return offset < o.ends[partition]
}

// fail notes why the partition cannot go on.
func (o *owner) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed == nil {
		o.failed = err
	}
}

// flush waits until everything that was appended is in the log.
func (o *owner) flush(ctx context.Context) error {
	if err := o.producer.Flush(ctx); err != nil {
		return err
	}
	return o.failure()
}

func (o *owner) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.failed, eventlog.ErrLogReplaced) {
		return epoch.Replaced(o.failed)
	}
	return o.failed
}

// commit commits how far the commands are carried out, with nothing under way, and where
// the events end.
func (o *owner) commit(ctx context.Context) error {
	if err := o.flush(ctx); err != nil {
		return err
	}
	if err := o.rejected.Flush(ctx); err != nil {
		return notRejected(err)
	}
	if err := o.failure(); err != nil {
		return err
	}
	if time.Since(o.measured) > measureEvery {
		if err := o.measure(ctx); err != nil {
			return err
		}
	}
	o.mu.Lock()
	n := note{epoch: o.log.Epoch, topic: fmt.Sprintf("%x", o.topic.ID), ends: o.ends, keys: []string{o.decoder.key}}
	if o.next < o.doubt { // what the owner before did of the rest is below our ends
		n.ends, n.keys = o.from, o.keys
	}
	text, err := n.encode()
	o.mu.Unlock()
	if err == nil {
		err = o.a.CommitNoting(ctx, o.next, text)
	}
	if err != nil {
		return err
	}
	o.committed, o.committedAt, o.events, o.bytes = o.next, time.Now(), 0, 0
	return nil
}

// measure asks where the partitions of the events end.
func (o *owner) measure(ctx context.Context) error {
	now := time.Now()
	for p := range o.ends {
		_, end, err := o.kafka.Offsets(ctx, schema.TopicEvents, p)
		if err != nil {
			return err
		}
		o.mu.Lock()
		o.ends[p] = max(o.ends[p], end)
		o.mu.Unlock()
	}
	o.measured = now
	return nil
}
