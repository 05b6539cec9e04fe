package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

const (
	// rollEvery is the time between two planned restarts.
	rollEvery = 4 * time.Second
	// soakWindow is the void window of a soak's log, in offsets: a minute or two. A
	// role that starts reads two of them: with the usual width, what roles take
	// would grow for as long as the log is young, and hide what leaks.
	soakWindow = 5000
)

// roll restarts every role in turn, again and again until timed ends.
func (r *run) roll(ctx, timed context.Context) error {
	if err := r.awaitReady(ctx); err != nil {
		return err
	}
	for {
		for _, p := range r.sys.roles {
			if pause(timed, rollEvery) != nil {
				return ctx.Err()
			}
			if err := r.restart(ctx, p); err != nil {
				return err
			}
		}
	}
}

// markSmall begins a log whose void window is small.
func markSmall(brokers []string, replication int) error {
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	kafka, err := eventlog.New(eventlog.Config{Brokers: brokers, ClientID: "chaos"})
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := kafka.WaitReady(ctx); err != nil {
		return err
	}
	if err := admin.EnsureTopics(ctx, kafka, epoch.Topics(partitions, replication)); err != nil {
		return err
	}
	marker := &schema.Marker{Epoch: ulid.Make().String(), Format: schema.NewestFormat, Window: soakWindow}
	for p := range partitions {
		e := &schema.Event{Time: time.Now().UnixMilli(), Kind: &schema.Event_Marker{Marker: marker}}
		if err := put(ctx, kafka, schema.TopicEvents, p, "", e); err != nil {
			return err
		}
	}
	return nil
}

// Grown lists which roles took more in the last third of a run than in the
// first, beyond what varies. The memory of the embedded broker does not count:
// its log is in it.
func (r *Result) Grown() (grown []string) {
	for _, role := range slices.Sorted(maps.Keys(r.Usage)) {
		first, last := r.Usage[role][0], r.Usage[role][1]
		if role != "broker" && last.MB > first.MB*5/4+8 {
			grown = append(grown, fmt.Sprintf("the memory of a %s grew from %d to %d MB", role, first.MB, last.MB))
		}
		if last.Goroutines > first.Goroutines*5/4+10 {
			grown = append(grown, fmt.Sprintf("the goroutines of a %s grew from %d to %d", role, first.Goroutines, last.Goroutines))
		}
	}
	return grown
}
