package connector

import (
	"context"
	"fmt"
	"time"
)

// beatPatience is how old the newest acknowledged beat may be while Kafka
// counts as reachable.
const beatPatience = 5 * time.Second

// Ready reports whether clients are served now.
func (c *Connector) Ready() bool {
	inc := c.current.Load()
	return inc != nil && !inc.draining.Load() && c.plains.failing(time.Now()) == nil
}

// Unready says why clients should not be sent here, a sentence for each reason;
// nothing when they should. ClickHouse is none of them: chat goes on without.
func (c *Connector) Unready(context.Context) []string {
	var reasons []string
	if c.leaving.Load() {
		reasons = append(reasons, "it is draining")
	}
	if err := c.plains.failing(time.Now()); err != nil {
		reasons = append(reasons, "clients cannot connect: "+err.Error())
	}
	inc := c.current.Load()
	if inc == nil {
		return append(reasons, "it has no place in the log: Kafka has not acknowledged its first beat yet")
	}
	if silent := time.Since(inc.heart.lastAck()); silent > beatPatience {
		reasons = append(reasons, fmt.Sprintf("Kafka has acknowledged no beat for %v", silent.Round(time.Second)))
	}
	return reasons
}
