package format

import (
	"context"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Recall records in parley.control, and in parley.rules, the format that its log
// was raised to, according to the log's events: for a log that is kept while
// parley.control is recreated. It reads all of the log. The error is a *schema.NewerError when
// this binary does not know the format.
func Recall(ctx context.Context, kafka *eventlog.Client, log epoch.Log) error {
	record := &schema.LogFormat{Number: log.Format, From: make([]int64, log.Partitions)}
	reached := make([]int32, log.Partitions)
	for p := range log.Partitions {
		var err error
		if reached[p], err = formatOf(ctx, kafka, p); err != nil {
			return err
		}
		record.Number = max(record.Number, reached[p])
	}
	if record.Number == log.Format {
		return nil
	}
	record.Done = true
	for _, n := range reached {
		record.Done = record.Done && n == record.Number
	}
	if record.Done {
		if err := publish(ctx, kafka, log.Epoch, record.Number); err != nil {
			return err
		}
	}
	return remember(ctx, kafka, record)
}

// formatOf is the highest format that a partition's events raise it to; 0 when
// none does.
func formatOf(ctx context.Context, kafka *eventlog.Client, partition int) (int32, error) {
	first, end, err := kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return 0, err
	}
	highest := int32(0)
	err = eachEvent(ctx, kafka, partition, first, end, func(e *schema.Event) {
		highest = max(highest, e.GetFormat().GetNumber())
	})
	return highest, err
}
