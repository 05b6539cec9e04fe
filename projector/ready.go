package projector

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
)

// idleGrace is how long a projector waits for partitions before it counts as a
// spare.
const idleGrace = 10 * time.Second

// progress is how far a projector has come. Its zero value is its start.
type progress struct {
	kafka             atomic.Pointer[eventlog.Client] // nil: the log is not open yet
	db                atomic.Pointer[clickhouse.DB]   // nil: it has not answered yet
	since             atomic.Pointer[time.Time]       // when it began to follow the log; nil: it does not
	inserter          atomic.Pointer[inserter]        // of the newest session
	assigned, serving atomic.Int64                    // partitions
	lost              atomic.Int64                    // partitions that lack events they need
	member            roles.Membership
	served            atomic.Bool // a partition was served once: it is not a spare
}

// Health reports whether the projector follows all that the group gave to it. A
// spare projector, to which it gives nothing, is ready after 10 s. It probes
// ClickHouse, and Kafka where there was no recent answer, each for 2 s at most.
// There are no warnings: a projector stamps nothing with its machine's clock.
func (p *Projector) Health(ctx context.Context) roles.Health {
	return roles.Health{Unready: p.waits(ctx)}
}

// waits lists what the projector waits for.
func (p *Projector) waits(ctx context.Context) (reasons []string) {
	at := &p.progress
	kafka, db, since := at.kafka.Load(), at.db.Load(), at.since.Load()
	switch {
	case kafka == nil:
		return []string{"the log is not open yet"}
	case db == nil:
		return []string{"ClickHouse has not answered yet"}
	}
	// Both are asked at once, so that whoever asks for health has an answer in 3 s.
	reachable := make(chan error, 1)
	go func() { reachable <- kafka.Reachable(ctx) }()
	if outage := db.Outage(); outage > 0 {
		reasons = append(reasons, fmt.Sprintf("ClickHouse at %s could not be used for the last %v", db.Addresses(), outage.Round(time.Second)))
	} else if err := ping(ctx, db); err != nil {
		reasons = append(reasons, fmt.Sprintf("no answer from ClickHouse at %s: %v", db.Addresses(), err))
	}
	if err := <-reachable; err != nil {
		reasons = append(reasons, err.Error())
	}
	assigned, serving := at.assigned.Load()-at.lost.Load(), at.serving.Load()
	switch {
	case since == nil:
		reasons = append(reasons, "the tables are not ready yet")
	case serving < assigned:
		reasons = append(reasons, fmt.Sprintf("%d of %d assigned partitions are not followed yet", assigned-serving, assigned))
	case !at.served.Load() && time.Since(*since) <= idleGrace:
		reasons = append(reasons, "the consumer group has assigned no partition yet")
	default:
		if reason := at.member.Unready(time.Now()); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

func ping(ctx context.Context, db *clickhouse.DB) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return db.Ping(ctx)
}
