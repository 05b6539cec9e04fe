package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// takeOver fences whoever owned the partition before, and finds out where to go on and
// which of the commands from there on the log has already. end is where the commands
// ended.
func (o *owner) takeOver(ctx context.Context) (end int64, err error) {
	if err := o.producer.Init(ctx); err != nil {
		return 0, fmt.Errorf("fence the owner of %s/%d before: %w", schema.TopicCommands, o.a.Partition, err)
	}
	first, end, err := o.kafka.CommittedOffsets(ctx, schema.TopicCommands, o.a.Partition)
	if err != nil {
		return 0, err
	}
	offset, text, err := o.a.Noted(ctx)
	if err != nil {
		return 0, err
	}
	o.next, o.doubt, o.committed = first, first, offset
	if offset >= 0 {
		n, err := decodeNote(text)
		if err != nil {
			return 0, err
		}
		if n.topic == fmt.Sprintf("%x", o.topic.ID) {
			if o.next = max(first, offset); first > offset {
				o.lose(offset, first)
			}
			if err := o.resolve(ctx, end, &n); err != nil {
				return 0, err
			}
		}
	}
	if o.next == offset {
		return end, nil
	}
	return end, o.commit(ctx) // so that an owner after this one knows where to look from
}

// resolve looks for the commands in [o.next, end) which the owner before may have
// carried out, among the events that came after its note.
func (o *owner) resolve(ctx context.Context, end int64, n *note) error {
	began := time.Now()
	select {
	case o.turns <- struct{}{}:
		defer func() { <-o.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := o.readDoubt(ctx, end); err != nil {
		return err
	}
	o.from, o.keys = make([]int64, o.log.Partitions), n.keys
	if !slices.Contains(o.keys, o.decoder.key) {
		o.keys = append(o.keys, o.decoder.key)
	}
	if n.epoch == o.log.Epoch {
		copy(o.from, n.ends)
	}
	in := map[int]bool{} // partitions of the events
	for act := range o.there {
		in[schema.PartitionOf(act.Channel, o.log.Partitions)] = true
	}
	read := int64(0)
	for p := range in {
		from := o.from[p]
		_, to, err := o.kafka.Offsets(ctx, schema.TopicEvents, p)
		if err == nil {
			err = o.search(ctx, p, from, to)
		}
		if err != nil {
			return err
		}
		read += max(0, to-from)
	}
	if len(o.there) > 0 {
		o.i.cfg.Logger.Info("the commands that the owner before may have carried out were looked for",
			"partition", o.a.Partition, "commands", o.doubt-o.next, "events", read, "took", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// readDoubt reads as many commands as an owner has open at most.
func (o *owner) readDoubt(ctx context.Context, end int64) error {
	o.there = map[schema.Act]bool{}
	o.doubt = o.next
	events, bytes := 0, 0
	errEnough := errors.New("enough")
	take := func(rec eventlog.Record) error {
		c, _ := o.decoder.decode(o.a.Partition, &rec)
		if events > 0 && (events+c.weight > maxOpenEvents || bytes+len(rec.Value) > maxOpenBytes) {
			return errEnough
		}
		events += c.weight
		bytes += len(rec.Value)
		for i := range c.acts {
			act, _ := c.acts[i].Event.Act()
			o.there[act] = false
		}
		o.doubt = rec.Offset + 1
		return nil
	}
	err := readAll(ctx, o.kafka.ReadCommittedRange, schema.TopicCommands, o.a.Partition, o.next, end, take)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// search notes which of the commands in doubt are among events.
func (o *owner) search(ctx context.Context, partition int, from, to int64) error {
	return readAll(ctx, o.kafka.ReadRange, schema.TopicEvents, partition, from, to, func(rec eventlog.Record) error {
		e, err := schema.DecodeEvent(rec.Value)
		if errors.Is(err, schema.ErrCorrupt) {
			return nil // its other readers have logged it
		}
		if err != nil {
			return err
		}
		if act, is := e.Act(); is {
			if act.Key && slices.Contains(o.keys, act.Actor) {
				act.Actor = o.decoder.key
			}
			if _, asked := o.there[act]; asked {
				o.there[act] = true
			}
		}
		return nil
	})
}

// rangeReader is a method of eventlog.Client.
type rangeReader func(ctx context.Context, topic string, partition int, from, to int64, maxBytes int, take func(eventlog.Record) error) error

// readAll reads a range, and skips what is corrupt.
func readAll(ctx context.Context, read rangeReader, topic string, partition int, from, to int64, take func(eventlog.Record) error) error {
	for from < to {
		err := read(ctx, topic, partition, from, to, 0, take)
		var corrupt *eventlog.CorruptError
		if !errors.As(err, &corrupt) {
			return err
		}
		from = corrupt.NextOffset
	}
	return nil
}
