package epoch

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Remembered is the epoch that parley.control remembers; nil when it remembers
// none, or when there is no such topic.
func Remembered(ctx context.Context, c *eventlog.Client) (*schema.LogEpoch, error) {
	m, err := readMemory(ctx, c)
	return m.epoch, err
}

// Raised is the newest raise of the log's format that parley.control knows of,
// under way or done; nil without one.
func Raised(ctx context.Context, c *eventlog.Client) (*schema.LogFormat, error) {
	m, err := readMemory(ctx, c)
	return m.format, err
}

// CheckFormat returns a *schema.NewerError when the log's format was raised, or
// is being raised, to one that this binary does not know.
func CheckFormat(ctx context.Context, c *eventlog.Client) error {
	m, err := readMemory(ctx, c)
	if err != nil {
		return err
	}
	return m.checkFormat()
}

// memory is what parley.control remembers of the log.
type memory struct {
	epoch   *schema.LogEpoch   // nil: none
	format  *schema.LogFormat  // nil: none
	history *schema.LogHistory // nil: none
}

func (m memory) checkFormat() error {
	if n := m.format.GetNumber(); n > schema.NewestFormat {
		return &schema.NewerError{What: "format", Number: n}
	}
	return nil
}

func readMemory(ctx context.Context, c *eventlog.Client) (memory, error) {
	var known memory
	if _, err := c.TopicInfo(ctx, schema.TopicControl); errors.Is(err, eventlog.ErrUnknownTopic) {
		return known, nil
	} else if err != nil {
		return known, fmt.Errorf("look up %s: %w", schema.TopicControl, err)
	}
	err := ReadControl(ctx, c, func(r eventlog.Record) error {
		known.apply(&r)
		return nil
	})
	return known, err
}

func (m *memory) apply(r *eventlog.Record) {
	switch string(r.Key) {
	case schema.ControlKeyEpoch:
		var e schema.LogEpoch
		if proto.Unmarshal(r.Value, &e) == nil {
			m.epoch = &e
		}
	case schema.ControlKeyFormat:
		var f schema.LogFormat
		if m.format = nil; r.Value != nil && proto.Unmarshal(r.Value, &f) == nil {
			m.format = &f
		}
	case schema.ControlKeyHistory:
		m.history = DecodeHistory(r.Value)
	}
}

// Inspect returns the existing log, according to its markers, without writing
// anything: for tools. Where older events were deleted, and the markers with
// them, parley.control is used. The error is a *Refused when it is not a log of
// one epoch, and eventlog.ErrUnknownTopic when there is no log.
func Inspect(ctx context.Context, c *eventlog.Client) (Log, error) {
	info, err := c.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return Log{}, fmt.Errorf("look up the log: %w", err)
	}
	log := Log{TopicID: info.ID, Partitions: info.Partitions}
	b, err := beginnings(ctx, c, info.Partitions)
	if err != nil {
		return Log{}, err
	}
	if b.marker != nil {
		log.Epoch, log.Format, log.Window = b.marker.Epoch, b.marker.Format, b.marker.Window
		return log, nil
	}
	known, err := Remembered(ctx, c)
	switch {
	case err != nil:
		return Log{}, err
	case known == nil:
		return Log{}, Refuse("%s has no marker of an epoch: nothing was ever published there", schema.TopicEvents)
	case len(b.cut) == 0:
		return Log{}, Refuse("%s is empty, and the log of epoch %s was in it: restore it, or begin a new epoch with `parley epoch new`", schema.TopicEvents, known.Epoch)
	}
	log.Epoch, log.Format, log.Window = known.Epoch, 1, schema.Window
	return log, nil
}

// beginning is how the partitions of the events begin.
type beginning struct {
	marker *schema.Marker // of the first partition that has one; nil: none has
	empty  []int          // partitions that hold nothing and never did
	cut    []int          // partitions whose older events were deleted
}

// complete reports whether there are partitions, and all have begun.
func (b beginning) complete() bool {
	return len(b.empty) == 0 && (b.marker != nil || len(b.cut) > 0)
}

// atOnce bounds the partitions that are inspected at once.
const atOnce = 16

// ForEach calls look with each number below n, several at once, and returns its
// first error. The context of the other calls ends with that.
func ForEach(ctx context.Context, n int, look func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() error { return look(ctx, i) })
	}
	return g.Wait()
}

// beginnings inspects every partition. Two that are of different epochs are a
// *Refused.
func beginnings(ctx context.Context, c *eventlog.Client, partitions int) (beginning, error) {
	var b beginning
	markers, firsts := make([]*schema.Marker, partitions), make([]int64, partitions)
	err := ForEach(ctx, partitions, func(ctx context.Context, p int) error {
		first, end, err := c.Offsets(ctx, schema.TopicEvents, p)
		if err != nil {
			return fmt.Errorf("find the beginning of %s/%d: %w", schema.TopicEvents, p, err)
		}
		if firsts[p] = first; first == 0 && end > 0 {
			markers[p], err = readMarker(ctx, c, p)
		}
		return err
	})
	if err != nil {
		return b, err
	}
	for p, m := range markers {
		switch {
		case firsts[p] > 0:
			b.cut = append(b.cut, p)
		case m == nil:
			b.empty = append(b.empty, p)
		case b.marker == nil:
			b.marker = m
		case m.Epoch != b.marker.Epoch:
			return b, Refuse("partition %d of %s is of epoch %s, others of %s: the topic was put together from two logs; restore it from one, or begin a new epoch with `parley epoch new`", p, schema.TopicEvents, m.Epoch, b.marker.Epoch)
		}
	}
	return b, nil
}

// MarkerOf returns the marker at offset 0 of a partition; nil when the
// partition is empty or begins later. A partition that begins with something
// else is a *Refused.
func MarkerOf(ctx context.Context, c *eventlog.Client, partition int) (*schema.Marker, error) {
	first, end, err := c.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return nil, fmt.Errorf("find the beginning of %s/%d: %w", schema.TopicEvents, partition, err)
	}
	if first > 0 || end == 0 {
		return nil, nil
	}
	return readMarker(ctx, c, partition)
}
