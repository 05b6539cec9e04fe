package hooks

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/roles"
)

const (
	// idleGrace is how long a process waits for partitions before it counts as a
	// spare.
	idleGrace = 10 * time.Second
	// failingGrace is how long events may wait before somebody is told.
	failingGrace = 10 * time.Second
)

// Health reports whether events go out. Those that wait for a receiver which does
// not take them are a warning: another process would fare no better.
func (h *Hooks) Health(ctx context.Context) roles.Health {
	health := roles.Health{Unready: h.waits()}
	if err := h.client.Reachable(ctx); err != nil {
		health.Unready = append(health.Unready, err.Error())
	}
	if partition, worst, n := h.troubles.worst(); n > 0 && time.Since(worst.since) > failingGrace {
		health.Warnings = append(health.Warnings, fmt.Sprintf("the events of %d partitions wait for the receiver, those of partition %d for %v: %s",
			n, partition, time.Since(worst.since).Round(time.Second), worst.reason))
	}
	return health
}

// waits lists why nothing goes out.
func (h *Hooks) waits() (reasons []string) {
	started := h.started.Load()
	if started == nil {
		return []string{"the log is not open yet: if it does not exist, start a connector or a projector, which creates it"}
	}
	if h.gone.Load() {
		reasons = append(reasons, "the receiver answered 410, it wants no more events: start this role again when it does, or remove it")
	}
	if assigned, serving := h.assigned.Load()-h.lost.Load(), h.serving.Load(); serving < assigned {
		reasons = append(reasons, fmt.Sprintf("%d of %d assigned partitions are not served yet", assigned-serving, assigned))
	} else if !h.served.Load() && time.Since(*started) <= idleGrace {
		reasons = append(reasons, "the consumer group has assigned no partition yet")
	} else if reason := h.member.Unready(time.Now()); reason != "" {
		reasons = append(reasons, reason)
	}
	return reasons
}
