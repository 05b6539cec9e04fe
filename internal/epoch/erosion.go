package epoch

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

// Erosion is what a log lost below, or will lose.
type Erosion struct {
	// Cut are the partitions whose older events were deleted, ascending.
	Cut []int
	// Settings that the topic of the events needs in order to keep events for
	// ever, and has otherwise: NAME=VALUE, sorted.
	Settings []string
}

// Whole reports whether nothing was deleted, or will be.
func (e Erosion) Whole() bool { return len(e.Cut) == 0 && len(e.Settings) == 0 }

// Eroded checks whether events of the log were deleted, or will be.
func (l Log) Eroded(ctx context.Context, c *eventlog.Client) (Erosion, error) {
	var e Erosion
	have, err := admin.TopicSettings(ctx, c, schema.TopicEvents)
	if err != nil {
		return e, fmt.Errorf("read the settings of %s: %w", schema.TopicEvents, err)
	}
	for _, t := range schema.Topics(l.Partitions) {
		if t.Name != schema.TopicEvents {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(t.Config)) {
			if s, told := have[name]; told && s.Value != t.Config[name] {
				e.Settings = append(e.Settings, name+"="+t.Config[name])
			}
		}
	}
	firsts := make([]int64, l.Partitions)
	err = ForEach(ctx, l.Partitions, func(ctx context.Context, p int) (err error) {
		firsts[p], _, err = c.Offsets(ctx, schema.TopicEvents, p)
		return err
	})
	if err != nil {
		return e, err
	}
	for p, first := range firsts {
		if first > 0 {
			e.Cut = append(e.Cut, p)
		}
	}
	return e, nil
}
