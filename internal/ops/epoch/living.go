package epoch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// Watch is how long Living observes: several beats.
const Watch = 3 * time.Second

// Living names the roles that run: connectors that beat and owners that tick
// within watch, and members of the roles' consumer groups. A process that was
// killed counts as a member until its session times out, some 10 s.
func Living(ctx context.Context, kafka *eventlog.Client, watch time.Duration) ([]string, error) {
	found := map[string]bool{}
	groups, err := roles.Groups(ctx, kafka)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		for _, r := range groups[i].Roles {
			found[fmt.Sprintf("a member of group %s at %s", r.Group, r.At)] = true
		}
	}
	if _, err := kafka.TopicInfo(ctx, schema.TopicControl); err != nil {
		return sorted(found), nil //nolint:nilerr // without that topic there are no beats
	}
	if err := beating(ctx, kafka, watch, found); err != nil {
		return nil, err
	}
	return sorted(found), nil
}

func sorted(found map[string]bool) []string { return slices.Sorted(maps.Keys(found)) }

// beating adds who writes to parley.control now.
func beating(ctx context.Context, kafka *eventlog.Client, watch time.Duration, found map[string]bool) error {
	_, from, err := kafka.Offsets(ctx, schema.TopicControl, 0)
	if err != nil {
		return err
	}
	select {
	case <-time.After(watch):
	case <-ctx.Done():
		return ctx.Err()
	}
	_, end, err := kafka.Offsets(ctx, schema.TopicControl, 0)
	if err != nil {
		return err
	}
	return kafka.ReadRange(ctx, schema.TopicControl, 0, from, end, 0, func(r eventlog.Record) error {
		if id, ok := schema.ControlBeatOf(string(r.Key)); ok && r.Value != nil {
			found["connector "+id] = true
		} else if string(r.Key) == schema.ControlKeyTick {
			found["a chat worker"] = true
		}
		return nil
	})
}
