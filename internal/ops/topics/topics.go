// Package topics shows and creates the topics of a log.
package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// Partition is where a partition is kept, what it holds, and who lags.
type Partition struct {
	Topic string `json:"topic"`
	admin.Partition
	// It holds the offsets from First up to but not including End.
	First int64 `json:"first"`
	End   int64 `json:"end"`
	// Lags are how many offsets each group of chat workers has not yet
	// committed, and Behind how many are not in ClickHouse. Only of
	// parley.events; -1 where it is unknown.
	Lags   map[string]int64 `json:"lag,omitempty"`
	Behind *int64           `json:"projector_lag,omitempty"`
}

// Unknown is a lag that is not known.
const Unknown int64 = -1

// Describe describes every partition of the log's topics; those of a topic that
// does not exist are missing. With a nil database its lag is left out.
func Describe(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB) ([]Partition, error) {
	var all []Partition
	for _, t := range schema.Topics(1) {
		found, err := admin.Partitions(ctx, kafka, t.Name)
		if errors.Is(err, eventlog.ErrUnknownTopic) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			first, end, err := kafka.Offsets(ctx, t.Name, p.ID)
			if err != nil {
				return nil, err
			}
			all = append(all, Partition{Topic: t.Name, Partition: p, First: first, End: end})
		}
	}
	if err := addLags(ctx, kafka, all); err != nil {
		return nil, err
	}
	return all, addBehind(ctx, kafka, db, all)
}

// addLags adds what groups of chat workers committed. Commits are for this
// alone, and come with every checkpoint.
func addLags(ctx context.Context, kafka *eventlog.Client, all []Partition) error {
	groups, err := roles.Groups(ctx, kafka)
	if err != nil {
		return err
	}
	partitions := 0
	for i := range all {
		if all[i].Topic == schema.TopicEvents {
			partitions++
		}
	}
	for _, g := range groups {
		if g.Kind != roles.Chatworker {
			continue
		}
		committed, err := admin.Committed(ctx, kafka, g.Name, schema.TopicEvents, partitions)
		if err != nil {
			return err
		}
		for i := range all {
			if p := &all[i]; p.Topic == schema.TopicEvents {
				if p.Lags == nil {
					p.Lags = map[string]int64{}
				}
				p.Lags[g.Name] = Unknown
				if next, ok := committed[p.ID]; ok {
					p.Lags[g.Name] = max(0, p.End-next)
				}
			}
		}
	}
	return nil
}

// addBehind adds how much is not in ClickHouse.
func addBehind(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, all []Partition) error {
	if db == nil || len(all) == 0 {
		return nil
	}
	log, err := epoch.Inspect(ctx, kafka)
	var refused *epoch.Refused
	if errors.As(err, &refused) || errors.Is(err, eventlog.ErrUnknownTopic) {
		return nil // then nothing was ever published, or doctor reports it
	}
	if err != nil {
		return err
	}
	marks, err := db.Watermarks(ctx, log.Epoch)
	if err != nil && !clickhouse.IsMissing(err) {
		return fmt.Errorf("read the watermarks in ClickHouse: %w", err)
	}
	for i := range all {
		if p := &all[i]; p.Topic == schema.TopicEvents {
			behind := Unknown
			if w, ok := marks[p.ID]; ok {
				behind = max(0, p.End-1-w)
			}
			p.Behind = &behind
		}
	}
	return nil
}

// Create creates the topics that are missing, as the roles would, and returns
// their names. Markers and all else are left to the first role that starts: a
// marker names the format of whoever writes it. An existing topic
// with the wrong settings is an *admin.TopicError.
func Create(ctx context.Context, kafka *eventlog.Client, partitions, replication int) ([]string, error) {
	known, err := epoch.Remembered(ctx, kafka)
	if err != nil {
		return nil, err
	}
	info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
	switch {
	case err == nil && partitions != 0 && partitions != info.Partitions:
		return nil, fmt.Errorf("%s has %d partitions, and %d were asked for: a log keeps the count it was created with", schema.TopicEvents, info.Partitions, partitions)
	case err == nil:
		partitions = info.Partitions
	case !errors.Is(err, eventlog.ErrUnknownTopic):
		return nil, err
	case known != nil:
		return nil, epoch.Gone(known)
	case partitions == 0:
		partitions = schema.LaptopPartitions
	}
	wanted := epoch.Topics(partitions, replication)
	var missing []string
	for _, t := range wanted {
		_, err := kafka.TopicInfo(ctx, t.Name)
		if errors.Is(err, eventlog.ErrUnknownTopic) {
			missing = append(missing, t.Name)
		} else if err != nil {
			return nil, err
		}
	}
	if err := admin.EnsureTopics(ctx, kafka, wanted); err != nil {
		return nil, err
	}
	slices.Sort(missing)
	return missing, nil
}
