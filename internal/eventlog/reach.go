package eventlog

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const (
	// freshAnswer is how old a broker's answer may be to prove that the cluster
	// can be reached; readers get one every half second.
	freshAnswer = 3 * time.Second
	// reachTimeout bounds the attempt to get one.
	reachTimeout = 2 * time.Second
)

// answered notes that a broker has answered a request.
func (c *Client) answered() {
	now := time.Now()
	c.lastAnswer.Store(&now)
}

// Reachable returns nil when a broker has answered lately, or does so now. It
// takes 2 s at most.
func (c *Client) Reachable(ctx context.Context) error {
	if at := c.lastAnswer.Load(); at != nil && time.Since(*at) < freshAnswer {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := c.probe(ctx); err != nil {
		return fmt.Errorf("no answer from Kafka at %s: %w", strings.Join(c.cfg.Brokers, ","), err)
	}
	c.answered()
	return nil
}
