package epoch

import (
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Tail is the newest record that was taken of a partition of the events. A log
// that lost its end and grew again has another one there. The zero value is the
// record at offset 0, of unknown content.
type Tail struct {
	Partition int
	Offset    int64  // below 0: nothing was taken
	Digest    uint64 // see Digest; 0: unknown
}

// Digest is what is remembered of a record: the XXH64 of its value.
func Digest(r *eventlog.Record) uint64 { return xxhash.Sum64(r.Value) }

// MoveTo takes the last record of a batch, if it is newer.
func (t *Tail) MoveTo(batch eventlog.Batch) {
	if n := len(batch.Records); n > 0 && batch.Records[n-1].Offset > t.Offset {
		t.Offset, t.Digest = batch.Records[n-1].Offset, Digest(&batch.Records[n-1])
	}
}

// Check reports, with a *Refused, when the log no longer holds the
// record. Readers call it on every new connection.
func (t Tail) Check(ctx context.Context, c *eventlog.Client) error {
	if t.Offset < 0 {
		return nil
	}
	first, end, err := c.Offsets(ctx, schema.TopicEvents, t.Partition)
	if err != nil {
		return err
	}
	switch {
	case t.Offset >= end:
		return Lost(t.Partition, t.Offset, end)
	case t.Offset+1 < first:
		return &Cut{Partition: t.Partition, Needed: t.Offset + 1, First: first}
	case t.Offset < first || t.Digest == 0:
		return nil
	}
	r := c.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: t.Partition, Offset: t.Offset, MaxBytes: 1, // one batch
	})
	defer r.Close()
	batch, err := r.Next(ctx)
	var corrupt *eventlog.CorruptError
	if err != nil && !errors.As(err, &corrupt) {
		return fmt.Errorf("check offset %d of %s/%d: %w", t.Offset, schema.TopicEvents, t.Partition, err)
	}
	if len(batch.Records) == 0 || batch.Records[0].Offset != t.Offset || Digest(&batch.Records[0]) != t.Digest {
		return Refuse("offset %d of partition %d of %s holds a different record than before: the log lost its end and grew again; "+Remedy, t.Offset, t.Partition, schema.TopicEvents)
	}
	return nil
}

// Lost is the refusal of a partition that was read up to offset upTo and ends
// below it now.
func Lost(partition int, upTo, end int64) error {
	return Refuse("partition %d of %s ends at offset %d, and was read up to %d: it lost its end, so events were lost; "+Remedy, partition, schema.TopicEvents, end, upTo)
}

// Cut is a partition that lost events that its reader needs: somebody deleted
// them. It does not concern the others, which are still served.
type Cut struct {
	Partition int
	Needed    int64 // the offset to read on from
	First     int64 // the lowest offset that is left
}

func (e *Cut) Error() string {
	return fmt.Sprintf("partition %d of %s begins at offset %d, and its events from %d on are needed: they were deleted; restore the topic, or set its retention.ms to -1 and begin a new epoch with `parley epoch new`",
		e.Partition, schema.TopicEvents, e.First, e.Needed)
}

// Unreadable is what an offset that a partition does not hold means: a *Cut, or
// the refusal of a log that lost its end.
func Unreadable(e *eventlog.OffsetError) error {
	if e.Offset < e.First {
		return &Cut{Partition: e.Partition, Needed: e.Offset, First: e.First}
	}
	return Lost(e.Partition, e.Offset-1, e.End)
}
