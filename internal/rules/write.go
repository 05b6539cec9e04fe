package rules

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// loadBudget bounds a read of the whole topic, of which compaction leaves a
// fraction.
const loadBudget = 256 << 20

// Loaded is what parley.rules held at one moment.
type Loaded struct {
	Table   *Table
	Corrupt int   // records that were skipped
	next    int64 // everything below was read
}

// Load reads parley.rules as it is now: for tools. Where there is no such topic
// the error is eventlog.ErrUnknownTopic.
func Load(ctx context.Context, c *eventlog.Client) (*Loaded, error) {
	l := &Loaded{Table: NewTable()}
	if _, err := c.TopicInfo(ctx, schema.TopicRules); err != nil {
		return nil, err
	}
	first, end, err := c.Offsets(ctx, schema.TopicRules, 0)
	if err != nil {
		return nil, err
	}
	l.next = first
	return l, l.readTo(ctx, c, end)
}

// readTo reads everything below an offset.
func (l *Loaded) readTo(ctx context.Context, c *eventlog.Client, end int64) error {
	for l.next < end {
		err := c.ReadRange(ctx, schema.TopicRules, 0, l.next, end, loadBudget, func(r eventlog.Record) error {
			if _, err := l.Table.Apply(string(r.Key), r.Value, r.Time); err != nil {
				l.Corrupt++
			}
			return nil
		})
		var corrupt *eventlog.CorruptError
		switch {
		case err == nil:
			l.next = end
		case errors.As(err, &corrupt):
			l.Corrupt++
			l.next = corrupt.NextOffset
		case errors.Is(err, eventlog.ErrBudget):
			return fmt.Errorf("%s holds more than %d MiB, so it is not compacted: make sure that the brokers' log cleaner runs, and that the topic's segment.bytes is 50 MiB", schema.TopicRules, loadBudget>>20)
		default:
			return fmt.Errorf("read %s: %w", schema.TopicRules, err)
		}
	}
	return nil
}

// Write appends rules and returns when all in-sync replicas have them. One that
// readers would skip is an error, and nothing is written. Write revocations of
// users with Revoke.
func Write(ctx context.Context, c *eventlog.Client, rules ...Rule) error {
	_, err := write(ctx, c, rules)
	return err
}

// write returns the offset of the last record.
func write(ctx context.Context, c *eventlog.Client, rules []Rule) (last int64, err error) {
	records := make([]eventlog.Record, len(rules))
	for i, r := range rules {
		value, err := proto.Marshal(r.Value)
		if err != nil {
			return 0, err
		}
		if _, err := Decode(r.Key(), value); err != nil {
			return 0, err
		}
		records[i] = eventlog.Record{Key: []byte(r.Key()), Value: value}
	}
	if _, err := c.TopicInfo(ctx, schema.TopicRules); err != nil {
		return 0, err
	}
	producer := c.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicRules})
	defer producer.Close()
	if last, err = produce(ctx, producer, records); err != nil {
		return 0, fmt.Errorf("write to %s: %w", schema.TopicRules, err)
	}
	return last, nil
}

// produce appends records and waits for the acknowledgement of the last one,
// which comes after those of the others.
func produce(ctx context.Context, p *eventlog.Producer, records []eventlog.Record) (last int64, err error) {
	var failed error // of one before the last
	for i, r := range records {
		if i == len(records)-1 {
			last, err = p.ProduceSync(ctx, 0, r)
			break
		}
		err = p.Produce(0, r, func(_ int64, err error) {
			if failed == nil {
				failed = err
			}
		})
		if err != nil {
			break
		}
	}
	if err == nil {
		err = failed
	}
	return last, err
}

// Revoke makes a user's tokens end that were issued before a time, and returns
// the revocation that is in force: r, or one of a later time that was there, in
// which case nothing is written.
func Revoke(ctx context.Context, c *eventlog.Client, user string, r *schema.Revocation) (*schema.Revocation, error) {
	l, err := Load(ctx, c)
	if err != nil {
		return nil, err
	}
	inForce := l.Table.Revocation(user)
	if inForce != nil && inForce.Before >= r.Before {
		return inForce, nil
	}
	for {
		last, err := write(ctx, c, []Rule{{Revoked, user, r}})
		if err != nil {
			return nil, err
		}
		if err := l.readTo(ctx, c, last+1); err != nil {
			return nil, err
		}
		inForce := l.Table.Revocation(user)
		if inForce == nil || inForce.Before <= r.Before {
			return r, nil
		}
		r = inForce // somebody else's, which the newest record must not lack
	}
}
