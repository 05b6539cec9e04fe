package hooks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// checkpoint is what parley.hooks keeps of one name and one partition. Before the
// members and their marker it says up to where the receiver has everything: what a
// crash leaves of a checkpoint is from below there, so that nothing wrong is sent.
// For one goroutine.
type checkpoint struct {
	h         *Hooks
	partition int
	producer  *eventlog.Producer // fenced
	scanned   int64              // up to where an operator's skip was looked for
	skipTo    int64              // the highest of them; nothing below is to be sent
	refusal   refusal            // as it was when this process took over
}

// stored is what parley.hooks held.
type stored struct {
	keys  map[string]struct{}
	state *fold.Checkpoint
	mark  schema.StateMarker
	from  *schema.HooksFrom // nil: the name is new
}

// takeOver makes this process the owner of a partition's checkpoint and restores
// from it. The claim comes first: nobody else can write after it.
func (h *Hooks) takeOver(ctx context.Context, partition int) (*checkpoint, *translator, error) {
	c := &checkpoint{h: h, partition: partition, producer: h.client.NewProducer(eventlog.ProducerConfig{
		Topic: schema.TopicHooks, TransactionalID: fmt.Sprintf("worker-%s-%d", group(h.cfg.Name), partition),
	})}
	t, err := c.claim(ctx)
	if err != nil {
		_ = c.producer.Close()
		return nil, nil, err
	}
	return c, t, nil
}

func (c *checkpoint) claim(ctx context.Context) (*translator, error) {
	if err := c.producer.Init(ctx); err != nil {
		return nil, fmt.Errorf("fence the owner before: %w", err)
	}
	claim, err := proto.Marshal(&schema.StateClaim{Worker: c.h.id, Time: time.Now().UnixMilli()})
	if err != nil {
		return nil, err
	}
	claimed, err := c.write(ctx, fold.Record{Key: schema.StateKeyClaim, Value: claim})
	if err != nil {
		return nil, fmt.Errorf("claim the checkpoint: %w", err)
	}
	held, err := c.read(ctx, claimed)
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	from, err := c.begin(ctx, held)
	if err != nil {
		return nil, err
	}
	members, err := fold.RestoreMembers(c.h.logOf(c.partition), held.state)
	if err != nil {
		return nil, err
	}
	if c.h.cfg.GiveUp > 0 && from.Next >= c.skipTo && from.RefusedFor > 0 {
		c.refusal = refusal{time.Now().Add(-time.Duration(from.RefusedFor) * time.Millisecond), from.RefusedBelow}
	}
	return &translator{members: members, filter: c.h.cfg.Filter, from: start{max(from.Next, c.skipTo), from.Time}}, nil
}

func (h *Hooks) logOf(partition int) fold.Log {
	return fold.Log{Partition: int32(partition), Epoch: h.epoch.Epoch, TopicID: h.epoch.TopicID, Window: h.epoch.Window}
}

// begin returns where sending begins: a new name says so by itself, one of an
// earlier epoch goes on at the beginning of this one.
func (c *checkpoint) begin(ctx context.Context, held *stored) (*schema.HooksFrom, error) {
	epoch := c.h.epoch.Epoch
	switch {
	case held.from == nil:
		from := &schema.HooksFrom{Epoch: epoch}
		switch of := c.h.cfg.From; {
		case of.beginning:
		case !of.time.IsZero():
			from.Time = of.time.UnixMilli()
		default:
			var err error
			if _, from.Next, err = c.h.client.Offsets(ctx, schema.TopicEvents, c.partition); err != nil {
				return nil, err
			}
		}
		return from, c.position(ctx, from)
	case held.from.Epoch != epoch || held.mark.Epoch != "" && held.mark.Epoch != epoch:
		var gone []fold.Record
		for key := range held.keys {
			gone = append(gone, fold.Record{Key: key})
		}
		if len(gone) > 0 {
			if _, err := c.write(ctx, gone...); err != nil {
				return nil, fmt.Errorf("remove the checkpoint of an earlier epoch: %w", err)
			}
		}
		held.state, held.from = fold.NewCheckpoint(), &schema.HooksFrom{Epoch: epoch}
		c.h.log.Info("a new epoch of the log has begun: events go on at its beginning", "partition", c.partition, "epoch", epoch)
		return held.from, c.position(ctx, held.from)
	}
	return held.from, nil
}

// read returns what the partition holds of this name below an offset.
func (c *checkpoint) read(ctx context.Context, end int64) (*stored, error) {
	var held *stored
	begin := func() { held = &stored{keys: map[string]struct{}{}, state: fold.NewCheckpoint()} }
	err := readKept(ctx, c.h.client, c.partition, end+1, begin, func(r eventlog.Record) error { return c.take(held, &r) })
	c.scanned = end + 1
	return held, err
}

// readKept reads what a partition of parley.hooks holds below an offset. It calls begin
// before the first record, and again where the partition was compacted meanwhile, which is
// read from its beginning then.
func readKept(ctx context.Context, kafka *eventlog.Client, partition int, end int64, begin func(), take func(eventlog.Record) error) error {
	for {
		first, _, err := kafka.Offsets(ctx, schema.TopicHooks, partition)
		if err != nil {
			return err
		}
		begin()
		err = kafka.ReadRange(ctx, schema.TopicHooks, partition, first, end, 0, take)
		var compacted *eventlog.OffsetError
		if !errors.As(err, &compacted) || compacted.First <= first {
			return err
		}
	}
}

// take reads one record of parley.hooks.
func (c *checkpoint) take(held *stored, r *eventlog.Record) error {
	name, key, ok := schema.HooksOf(string(r.Key))
	if !ok || name != c.h.cfg.Name {
		return nil
	}
	switch key {
	case schema.HooksKeyFrom:
		held.from = new(schema.HooksFrom)
		return c.decode(r, held.from)
	case schema.HooksKeySkip:
		return c.noteSkip(r)
	case schema.StateKeyClaim:
		return nil
	case schema.StateKeyMarker:
		held.mark.Reset()
		if err := c.decode(r, &held.mark); err != nil {
			return err
		}
	}
	held.state.Put(fold.Record{Key: key, Value: r.Value})
	if r.Value == nil {
		delete(held.keys, key)
	} else {
		held.keys[key] = struct{}{}
	}
	return nil
}

func (c *checkpoint) decode(r *eventlog.Record, m proto.Message) error {
	if err := proto.Unmarshal(r.Value, m); err != nil {
		return fmt.Errorf("%s/%d is damaged at offset %d (%w): stop the hooks of all names, delete the topic and start them again with --from", schema.TopicHooks, c.partition, r.Offset, err)
	}
	return nil
}

func (c *checkpoint) noteSkip(r *eventlog.Record) error {
	var skip schema.HooksFrom
	if err := c.decode(r, &skip); err != nil {
		return err
	}
	if skip.Epoch == c.h.epoch.Epoch {
		c.skipTo = max(c.skipTo, skip.Next)
	}
	return nil
}

// lookForSkip returns the offset below which an operator wants nothing to be sent.
func (c *checkpoint) lookForSkip(ctx context.Context) (int64, error) {
	_, end, err := c.h.client.Offsets(ctx, schema.TopicHooks, c.partition)
	if err != nil || end <= c.scanned {
		return c.skipTo, err
	}
	key := schema.HooksKey(c.h.cfg.Name, schema.HooksKeySkip)
	err = c.h.client.ReadRange(ctx, schema.TopicHooks, c.partition, c.scanned, end, 0, func(r eventlog.Record) error {
		if string(r.Key) == key {
			return c.noteSkip(&r)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	c.scanned = end
	return c.skipTo, nil
}

// position writes up to where the receiver has everything.
func (c *checkpoint) position(ctx context.Context, from *schema.HooksFrom) error {
	value, err := proto.Marshal(from)
	if err == nil {
		_, err = c.write(ctx, fold.Record{Key: schema.HooksKeyFrom, Value: value})
	}
	if err != nil {
		return fmt.Errorf("write the position of partition %d: %w", c.partition, err)
	}
	return nil
}

// write appends records under the name, in order, and waits until all are
// acknowledged. It returns the offset of the last one.
func (c *checkpoint) write(ctx context.Context, records ...fold.Record) (last int64, err error) {
	type ack struct {
		offset int64
		err    error
	}
	acks := make(chan ack, 1)
	for part := range slices.Chunk(records, 1000) {
		failed := make(chan error, len(part))
		for i, r := range part {
			rec := eventlog.Record{Key: []byte(schema.HooksKey(c.h.cfg.Name, r.Key)), Value: r.Value}
			done := func(_ int64, err error) { failed <- err }
			if i == len(part)-1 {
				done = func(offset int64, err error) { acks <- ack{offset, err} }
			}
			if err := c.producer.Produce(c.partition, rec, done); err != nil {
				return 0, err
			}
		}
		for range len(part) - 1 {
			select {
			case e := <-failed:
				err = errors.Join(err, e)
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		select {
		case a := <-acks:
			last, err = a.offset, errors.Join(err, a.err)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
	return last, nil
}
