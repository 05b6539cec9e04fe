package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/files"
)

// beatPatience is how old the newest acknowledged beat may be while Kafka
// counts as reachable.
const beatPatience = 5 * time.Second

// Ready reports whether clients are served now.
func (c *Connector) Ready() bool {
	inc := c.current.Load()
	return inc != nil && !inc.draining.Load() && c.accepting.failing(time.Now()) == nil
}

// Unready says why clients should not be sent here, a sentence for each reason;
// nothing when they should. ClickHouse is not among them: chat continues without it.
func (c *Connector) Unready(context.Context) []string {
	var reasons []string
	if c.leaving.Load() {
		reasons = append(reasons, "it is draining")
	}
	if err := c.accepting.failing(time.Now()); err != nil {
		reasons = append(reasons, "clients cannot connect: "+err.Error())
	}
	inc := c.current.Load()
	if inc == nil && c.asking.Load() {
		return append(reasons, "there is no log yet, and ClickHouse has not said whether it holds the history of one: one is not begun before it answers")
	}
	if inc == nil {
		return append(reasons, "it has no place in the log: Kafka has not acknowledged its first beat yet")
	}
	if silent := time.Since(inc.heart.lastAck()); silent > beatPatience {
		reasons = append(reasons, fmt.Sprintf("Kafka has acknowledged no beat for %v", silent.Round(time.Second)))
	}
	return reasons
}

// Warnings say what is wrong with the connector's machine, a sentence each,
// though clients may be sent here.
func (c *Connector) Warnings() []string {
	if trouble := c.clock.Trouble(); trouble != "" {
		return []string{trouble}
	}
	return nil
}

// troubles are what beats report, for `parley doctor`: the process may not be
// able to answer anybody else.
func (c *Connector) troubles() []string {
	all := c.Warnings()
	if err := c.accepting.failing(time.Now()); err != nil {
		all = append(all, "clients cannot connect: "+err.Error())
	}
	if trouble := files.Trouble(); trouble != "" {
		all = append(all, trouble)
	}
	return all
}
