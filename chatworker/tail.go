package chatworker

import (
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// tail is the newest record that was taken of a partition of parley.events. A
// log that lost its end and grew again has another one there.
type tail struct {
	partition int
	offset    int64
	digest    uint64 // 0: unknown
}

func digestOf(rec *eventlog.Record) uint64 { return xxhash.Sum64(rec.Value) }

// moveTo takes the last record of a batch, if it is newer.
func (t *tail) moveTo(batch eventlog.Batch) {
	if n := len(batch.Records); n > 0 && batch.Records[n-1].Offset > t.offset {
		t.offset, t.digest = batch.Records[n-1].Offset, digestOf(&batch.Records[n-1])
	}
}

// checkTail refuses a log that does not hold the record that was taken.
func (w *Worker) checkTail(ctx context.Context, t tail) error {
	if t.offset < 0 {
		return nil
	}
	first, end, err := w.client.Offsets(ctx, schema.TopicEvents, t.partition)
	if err != nil {
		return err
	}
	if t.offset < first || t.offset >= end {
		return lostEvents(t.partition, t.offset+1, first, end)
	}
	if t.digest == 0 {
		return nil
	}
	r := w.client.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: t.partition, Offset: t.offset, MaxBytes: 1, // one batch
	})
	defer r.Close()
	batch, err := r.Next(ctx)
	var corrupt *eventlog.CorruptError
	if err != nil && !errors.As(err, &corrupt) {
		return fmt.Errorf("check offset %d of %s/%d: %w", t.offset, schema.TopicEvents, t.partition, err)
	}
	if len(batch.Records) == 0 || batch.Records[0].Offset != t.offset || digestOf(&batch.Records[0]) != t.digest {
		return epoch.Refuse("offset %d of partition %d of %s holds another record than before: the log lost its end and grew again; restore the topic, or begin a new epoch with `parley epoch new`", t.offset, t.partition, schema.TopicEvents)
	}
	return nil
}
