package ingest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/roles"
)

// idleGrace is how long it is waited for partitions before a process counts as a spare.
const idleGrace = 10 * time.Second

// progress is how far ingest has come. Its zero value is its start.
type progress struct {
	kafka                   atomic.Pointer[eventlog.Client] // nil: the log is not open yet
	since                   atomic.Pointer[time.Time]       // when it began to follow the commands; nil: it does not
	oldFormat               atomic.Bool                     // the log's format has to be raised first
	assigned, serving, held atomic.Int64                    // partitions
	member                  roles.Membership
	served                  atomic.Bool   // a partition was served once: it is not a spare
	lags                    meter.Figures // commands that wait, of the partitions that are served
}

// Health reports whether commands of all partitions are carried out that the group gave
// to this process. A spare, to which it gives nothing, is ready after 10 s. It probes
// Kafka where there was no recent answer, for 2 s at most.
func (i *Ingest) Health(ctx context.Context) roles.Health {
	return roles.Health{Unready: i.waits(ctx)}
}

// waits lists what ingest waits for.
func (i *Ingest) waits(ctx context.Context) (reasons []string) {
	at := &i.progress
	kafka, since := at.kafka.Load(), at.since.Load()
	switch {
	case kafka == nil:
		return []string{"the log is not open yet"}
	case at.oldFormat.Load():
		return []string{"the log's format is 1: raise it with `parley format raise`"}
	}
	if err := kafka.Reachable(ctx); err != nil {
		reasons = append(reasons, err.Error())
	}
	assigned, serving, held := at.assigned.Load(), at.serving.Load(), at.held.Load()
	switch {
	case since == nil:
		reasons = append(reasons, "there is no topic of commands yet")
	case serving < assigned:
		reasons = append(reasons, fmt.Sprintf("%d of %d assigned partitions are not served yet", assigned-serving, assigned))
	case held > 0:
		reasons = append(reasons, fmt.Sprintf("%d of %d assigned partitions wait for history", held, assigned))
	case !at.served.Load() && time.Since(*since) <= idleGrace:
		reasons = append(reasons, "the consumer group has assigned no partition yet")
	default:
		if reason := at.member.Unready(time.Now()); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
