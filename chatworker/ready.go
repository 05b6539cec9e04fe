package chatworker

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/roles"
)

// idleGrace is how long a worker waits for partitions before it counts as a
// spare.
const idleGrace = 10 * time.Second

// Health reports whether the worker serves all that the group gave to it. A
// spare worker, to which it gives nothing, is ready after 10 s. It probes Kafka
// where there was no recent answer, for 2 s at most.
func (w *Worker) Health(ctx context.Context) roles.Health {
	h := roles.Health{Unready: w.waits()}
	if err := w.client.Reachable(ctx); err != nil {
		h.Unready = append(h.Unready, err.Error())
	}
	if trouble := w.control.clock.Trouble(); trouble != "" {
		h.Warnings = append(h.Warnings, trouble)
	}
	return h
}

// waits lists what the worker waits for.
func (w *Worker) waits() (reasons []string) {
	started := w.started.Load()
	if started == nil {
		return []string{"the log is not open yet: if it does not exist, start a connector or a projector, which creates it"}
	}
	if w.watch.controlGone.Load() {
		reasons = append(reasons, controlGone)
	}
	if !w.control.caughtUp.Load() {
		reasons = append(reasons, "the connectors' beats are not read to their end yet")
	}
	if assigned, serving := w.assigned.Load()-w.lost.Load(), w.serving.Load(); serving < assigned {
		reasons = append(reasons, fmt.Sprintf("%d of %d assigned partitions are not served yet", assigned-serving, assigned))
	} else if !w.served.Load() && time.Since(*started) <= idleGrace {
		reasons = append(reasons, "the consumer group has assigned no partition yet")
	} else if reason := w.member.Unready(time.Now()); reason != "" {
		reasons = append(reasons, reason)
	}
	return reasons
}
