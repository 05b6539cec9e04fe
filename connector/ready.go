package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/roles"
)

// beatPatience is how old the newest acknowledged beat may be while Kafka
// counts as reachable.
const beatPatience = 5 * time.Second

// Health reports whether clients should be sent here. ClickHouse does not count:
// chat continues without it.
func (c *Connector) Health(context.Context) roles.Health {
	return roles.Health{Unready: c.unready(), Warnings: c.warnings()}
}

func (c *Connector) unready() (reasons []string) {
	if c.leaving.Load() {
		reasons = append(reasons, "it is draining")
	}
	if err := c.server.Failing(time.Now()); err != nil {
		reasons = append(reasons, "clients cannot connect: "+err.Error())
	}
	if err := c.pomelo.failing(time.Now()); err != nil {
		reasons = append(reasons, "clients of pomelo cannot connect: "+err.Error())
	}
	if trouble, missing := c.keyTrouble(); missing {
		return append(reasons, trouble)
	}
	if trouble, missing := c.rules.trouble(); missing && c.current.Load() == nil {
		reasons = append(reasons, trouble)
	}
	// By its clock a mute would end too soon, or last too long.
	if trouble := c.clock.Trouble(); trouble != "" {
		reasons = append(reasons, trouble)
	}
	inc := c.current.Load()
	if inc == nil && c.asking.Load() {
		return append(reasons, "there is no log yet, and ClickHouse has not said whether it holds the history of one: none is created before it answers")
	}
	if inc == nil {
		return append(reasons, "it has no place in the log: Kafka has not acknowledged its first beat yet")
	}
	if silent := time.Since(inc.heart.lastAck()); silent > beatPatience {
		reasons = append(reasons, fmt.Sprintf("Kafka has acknowledged no beat for %v", silent.Round(time.Second)))
	}
	return reasons
}

func (c *Connector) warnings() (all []string) {
	if trouble, missing := c.keyTrouble(); trouble != "" && !missing {
		all = append(all, trouble)
	}
	if trouble, missing := c.rules.trouble(); trouble != "" && !missing {
		all = append(all, trouble)
	}
	return append(all, c.certificateTroubles()...)
}

// troubles are what beats report, for `parley doctor`: the process may not be
// able to answer anybody else.
func (c *Connector) troubles() []string {
	all := c.warnings()
	if trouble := c.clock.Trouble(); trouble != "" {
		all = append(all, trouble)
	}
	if err := c.server.Failing(time.Now()); err != nil {
		all = append(all, "clients cannot connect: "+err.Error())
	}
	if err := c.pomelo.failing(time.Now()); err != nil {
		all = append(all, "clients of pomelo cannot connect: "+err.Error())
	}
	if trouble := files.Trouble(); trouble != "" {
		all = append(all, trouble)
	}
	return all
}
