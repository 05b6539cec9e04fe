package chatworker

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// idleGrace is how long a worker waits for partitions before it counts as a
// spare.
const idleGrace = 10 * time.Second

// Ready reports whether the worker serves all that the group gave to it. A
// spare worker, to which it gives nothing, is ready after 10 s.
func (w *Worker) Ready() bool { return len(w.waits()) == 0 }

// Unready lists why the worker is not doing its work, a sentence for each reason;
// nothing when it is. It probes Kafka where there was no recent answer, for 2 s at
// most.
func (w *Worker) Unready(ctx context.Context) []string {
	reasons := w.waits()
	if err := w.client.Reachable(ctx); err != nil {
		reasons = append(reasons, err.Error())
	}
	return reasons
}

// Warnings list what is wrong with the worker's machine although the worker does
// its work, a sentence each.
func (w *Worker) Warnings() []string { return sentences(w.control.clock.Trouble()) }

// sentences are those that are not empty.
func sentences(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
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
