package format

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Raised is what a raise did.
type Raised struct {
	// Partitions that got their format event by this call.
	Partitions int
	// Already: the format was in force before.
	Already bool
	// Published: this call wrote the rule by which connectors know.
	Published bool
}

// Raise raises the log's format to number. First it is announced in parley.control,
// which keeps roles that do not know the format from starting; then, when no such
// role runs, each partition gets the event from which on it is in force; last,
// parley.rules gets the rule by which connectors know that all have it. When it is
// interrupted, another call continues where it stopped; where the format is
// already in force it makes sure that the rule is there. It refuses, with
// ErrOlderRoles, while a role runs that does not know the format, and leaves the
// log as it was then.
func Raise(ctx context.Context, kafka *eventlog.Client, number int32) (Raised, error) {
	s, err := Inspect(ctx, kafka)
	if err != nil {
		return Raised{}, err
	}
	if number == s.Format && s.Raising == 0 {
		if s.Unpublished {
			err = publishAgain(ctx, kafka, s.epoch, number)
		}
		return Raised{Already: true, Published: s.Unpublished && err == nil}, err
	}
	if err := s.check(number); err != nil {
		if number == s.Raising && errors.Is(err, ErrOlderRoles) {
			err = giveUp(ctx, kafka, s.Format, err)
		}
		return Raised{}, err
	}
	r, err := begin(ctx, kafka, s.epoch, number)
	if err != nil {
		return Raised{}, err
	}
	defer r.close()
	// A role that started between the check and the announcement is seen now;
	// one that starts later sees the announcement.
	s, err = Inspect(ctx, kafka)
	if err == nil {
		err = s.checkRoles(number)
	}
	if errors.Is(err, ErrOlderRoles) {
		err = giveUp(ctx, kafka, s.Format, err)
	}
	if err != nil {
		return Raised{}, err
	}
	return r.complete(ctx)
}

// raise is one under way.
type raise struct {
	kafka  *eventlog.Client
	epoch  string
	record *schema.LogFormat
	events *eventlog.Producer
}

// begin records in parley.control that a raise is under way, unless it is.
func begin(ctx context.Context, kafka *eventlog.Client, of string, number int32) (*raise, error) {
	info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
	if err == nil {
		err = ensureRules(ctx, kafka)
	}
	if err != nil {
		return nil, err
	}
	record, err := epoch.Raised(ctx, kafka)
	if err != nil {
		return nil, err
	}
	if record.GetNumber() != number || len(record.GetFrom()) != info.Partitions {
		record = &schema.LogFormat{Number: number}
		for p := range info.Partitions {
			_, end, err := kafka.Offsets(ctx, schema.TopicEvents, p)
			if err != nil {
				return nil, err
			}
			record.From = append(record.From, end)
		}
		if err := remember(ctx, kafka, record); err != nil {
			return nil, err
		}
	}
	return &raise{kafka: kafka, epoch: of, record: record, events: kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})}, nil
}

func (r *raise) close() { r.events.Close() }

// complete appends the events that are missing, publishes the rule, and records
// that it did.
func (r *raise) complete(ctx context.Context) (Raised, error) {
	var done Raised
	for p, from := range r.record.From {
		found, err := r.has(ctx, p, from)
		if err != nil {
			return done, err
		}
		if found {
			continue
		}
		value, err := proto.Marshal(&schema.Event{
			Time: time.Now().UnixMilli(),
			Kind: &schema.Event_Format{Format: &schema.Format{Number: r.record.Number}},
		})
		if err != nil {
			return done, err
		}
		if _, err := r.events.ProduceSync(ctx, p, eventlog.Record{Value: value}); err != nil {
			return done, fmt.Errorf("raise the format of partition %d: %w", p, err)
		}
		done.Partitions++
	}
	if err := publish(ctx, r.kafka, r.epoch, r.record.Number); err != nil {
		return done, err
	}
	done.Published, r.record.Done = true, true
	return done, remember(ctx, r.kafka, r.record)
}

// has reports whether a partition already has its format event.
func (r *raise) has(ctx context.Context, partition int, from int64) (bool, error) {
	_, end, err := r.kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return false, err
	}
	found := false
	err = eachEvent(ctx, r.kafka, partition, from, end, func(e *schema.Event) {
		found = found || e.GetFormat().GetNumber() >= r.record.Number
	})
	return found, err
}

// eachEvent reads the events of a partition in [from, to), and skips what every
// consumer skips.
func eachEvent(ctx context.Context, kafka *eventlog.Client, partition int, from, to int64, take func(*schema.Event)) error {
	for from < to {
		err := kafka.ReadRange(ctx, schema.TopicEvents, partition, from, to, 0, func(rec eventlog.Record) error {
			e, err := schema.DecodeEvent(rec.Value)
			if err != nil && !errors.Is(err, schema.ErrCorrupt) {
				return err
			}
			take(e)
			return nil
		})
		var corrupt *eventlog.CorruptError
		switch {
		case errors.As(err, &corrupt):
			from = corrupt.NextOffset
		case err != nil:
			return fmt.Errorf("look for format events in partition %d: %w", partition, err)
		default:
			return nil
		}
	}
	return nil
}

// giveUp withdraws a raise that was started, so that older roles may start again.
// It cannot where a partition was already raised. The error is why, with the
// outcome of the withdrawal.
func giveUp(ctx context.Context, kafka *eventlog.Client, inForce int32, why error) error {
	record, err := epoch.Raised(ctx, kafka)
	if err != nil {
		return errors.Join(why, err)
	}
	r := &raise{kafka: kafka, record: record}
	for p, from := range record.GetFrom() {
		found, err := r.has(ctx, p, from)
		if err != nil {
			return errors.Join(why, err)
		}
		if found {
			return fmt.Errorf("%w; some partitions are already raised, so it has to be completed", why)
		}
	}
	if err := remember(ctx, kafka, &schema.LogFormat{Number: inForce, Done: true}); err != nil {
		return fmt.Errorf("%w; and the raise that was started could not be withdrawn: %w", why, err)
	}
	return why
}

func remember(ctx context.Context, kafka *eventlog.Client, record *schema.LogFormat) error {
	value, err := proto.Marshal(record)
	if err != nil {
		return err
	}
	control := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	defer control.Close()
	_, err = control.ProduceSync(ctx, 0, eventlog.Record{Key: []byte(schema.ControlKeyFormat), Value: value})
	if err != nil {
		return fmt.Errorf("record the format in %s: %w", schema.TopicControl, err)
	}
	return nil
}
