package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/schema"
)

// checkEpoch compares the markers, parley.control and the topic with each
// other, and checks the format of the log.
func (x *examination) checkEpoch(ctx context.Context) error {
	if len(x.topics[schema.TopicEvents]) == 0 {
		return nil // checkTopics reports it
	}
	log, err := epoch.Inspect(ctx, x.cfg.Kafka)
	var refused *epoch.Refused
	var newer *schema.NewerError
	switch {
	case errors.As(err, &newer):
		x.find(Error, "epoch", "use the doctor of a newer parley")("%v", newer)
		return nil
	case errors.As(err, &refused):
		return x.reportRefused(ctx, refused)
	case err != nil:
		return err
	}
	x.log = &log
	x.report.Format = &Format{InForce: log.Format, Newest: schema.NewestFormat}
	if err := x.checkBeginnings(ctx); err != nil {
		return err
	}
	if _, there := x.topics[schema.TopicControl]; !there {
		return nil
	}
	known, err := epoch.Remembered(ctx, x.cfg.Kafka)
	switch {
	case err != nil:
		return err
	case known == nil:
		x.find(Warning, "epoch", "start a role, which records it")("%s remembers no epoch", schema.TopicControl)
	case known.Epoch != log.Epoch || string(known.TopicId) != string(log.TopicID[:]):
		x.find(Error, "epoch", epoch.Remedy)("%s remembers epoch %s, and the log is of another epoch or topic, %s: no role starts", schema.TopicControl, known.Epoch, log.Epoch)
	case int(known.Partitions) != log.Partitions:
		x.find(Error, "epoch", epoch.Remedy)("%s remembers %d partitions, and the log has %d: no role starts", schema.TopicControl, known.Partitions, log.Partitions)
	}
	return x.checkFormat(ctx)
}

// reportRefused reports why the log cannot be used.
func (x *examination) reportRefused(ctx context.Context, refused *epoch.Refused) error {
	ends, err := x.ends(ctx)
	if err != nil {
		return err
	}
	for _, end := range ends {
		if end > 0 {
			x.find(Error, "epoch", "")("%v", refused)
			return nil
		}
	}
	before, err := x.epochBefore(ctx)
	switch {
	case err != nil:
		return err
	case before == "":
		x.find(Warning, "epoch", "start a connector or a projector: it begins the log")("%s is empty, and nothing was ever published there", schema.TopicEvents)
	default:
		x.find(Error, "epoch", epoch.Remedy)("the log of epoch %s is gone: %s is empty", before, schema.TopicEvents)
	}
	return nil
}

// epochBefore is the epoch that was in use as far as parley.control or
// ClickHouse know; "" when neither knows one. They are asked once.
func (x *examination) epochBefore(ctx context.Context) (string, error) {
	if x.before != nil {
		return *x.before, nil
	}
	before, err := x.lookUpEpoch(ctx)
	if err == nil {
		x.before = &before
	}
	return before, err
}

func (x *examination) lookUpEpoch(ctx context.Context) (string, error) {
	known, err := epoch.Remembered(ctx, x.cfg.Kafka)
	if err != nil || known != nil {
		return known.GetEpoch(), err
	}
	if x.cfg.DB == nil {
		return "", nil
	}
	newest, err := x.cfg.DB.NewestEpoch(ctx)
	if clickhouse.IsMissing(err) || err == nil && newest == nil {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the epochs in ClickHouse: %w", err)
	}
	return newest.Name, nil
}

// checkBeginnings looks for partitions without their marker.
func (x *examination) checkBeginnings(ctx context.Context) error {
	before, err := x.epochBefore(ctx)
	if err != nil {
		return err
	}
	for _, p := range x.topics[schema.TopicEvents] {
		first, end, err := x.cfg.Kafka.Offsets(ctx, schema.TopicEvents, p.ID)
		switch {
		case err != nil:
			return err
		case first > 0:
			x.find(Error, "epoch", epoch.Remedy)("partition %d of %s begins at offset %d: its older events were deleted", p.ID, schema.TopicEvents, first)
		case end == 0 && before != "":
			x.find(Error, "epoch", epoch.Remedy)("partition %d of %s is empty, and the log of epoch %s was in it: no role starts", p.ID, schema.TopicEvents, before)
		case end == 0:
			x.find(Warning, "epoch", "start a role, which writes it")("partition %d of %s has no marker yet", p.ID, schema.TopicEvents)
		}
	}
	return nil
}

func (x *examination) checkFormat(ctx context.Context) error {
	raised, err := epoch.Raised(ctx, x.cfg.Kafka)
	if err != nil {
		return err
	}
	switch n := raised.GetNumber(); {
	case n > schema.NewestFormat:
		x.find(Error, "format", "use a newer parley")("the log is in format %d, and this parley knows formats up to %d", n, schema.NewestFormat)
	case raised != nil && !raised.Done:
		x.find(Warning, "format", "complete it with `parley format raise`")("a raise of the log's format to %d was started and is not complete", n)
	case n > x.log.Format:
		x.report.Format.InForce = n
		return x.checkPublished(ctx, n)
	}
	return nil
}

// checkPublished checks that connectors can know of a raise that is complete.
func (x *examination) checkPublished(ctx context.Context, n int32) error {
	known, err := format.Published(ctx, x.cfg.Kafka, x.log.Epoch)
	if err == nil && known < n {
		x.find(Warning, "format", fmt.Sprintf("write it with `parley format raise %d`", n))("%s does not say that the log is in format %d: a connector that starts learns of it by the first push of each partition only, and refuses what is new until then", schema.TopicRules, n)
	}
	return err
}

// ends are where the partitions of the events end.
func (x *examination) ends(ctx context.Context) (map[int]int64, error) {
	ends := map[int]int64{}
	for _, p := range x.topics[schema.TopicEvents] {
		_, end, err := x.cfg.Kafka.Offsets(ctx, schema.TopicEvents, p.ID)
		if err != nil {
			return nil, err
		}
		ends[p.ID] = end
	}
	return ends, nil
}

// newest reads a compacted partition and calls take for each record.
func newest(ctx context.Context, kafka *eventlog.Client, topic string, take func(eventlog.Record)) (end int64, err error) {
	first, end, err := kafka.Offsets(ctx, topic, 0)
	if err != nil {
		return 0, err
	}
	return end, kafka.ReadRange(ctx, topic, 0, first, end, 0, func(r eventlog.Record) error {
		take(r)
		return nil
	})
}
