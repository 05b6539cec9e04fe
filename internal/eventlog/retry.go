package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Back-off between attempts at a cluster that does not answer.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
	// loggedFailure is the failure in a row that is logged. A single one is
	// normal for a cluster: a leader moved, a connection was stale.
	loggedFailure = 2
)

// retryDelay is how long to wait after a number of failures in a row.
func retryDelay(failures int) time.Duration {
	return min(minBackoff<<min(failures-1, 10), maxBackoff)
}

// newBackoff returns intervals that grow from minBackoff to maxBackoff.
func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(minBackoff),
		backoff.WithMaxInterval(maxBackoff),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}

// Retry calls try until it succeeds, fails for good or ctx ends, and has the
// cluster's layout fetched again where that may help. When ctx ends, the error
// names both its cause and the last failure.
func (c *Client) Retry(ctx context.Context, try func() error) error {
	var last error
	failures := 0
	defer func() {
		if failures >= loggedFailure {
			c.metrics.away.Add(-1)
		}
	}()
	err := backoff.Retry(func() error {
		layout := c.layout.Load()
		err := try()
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case isPermanent(err):
			if !errors.Is(err, ErrUnknownTopic) { // which is an answer, too
				c.metrics.failed(opRequest, err, false)
			}
			return backoff.Permanent(err)
		case layoutIsStale(err):
			c.forgetLayout(layout)
		}
		c.metrics.failed(opRequest, err, true)
		if failures++; failures == loggedFailure {
			c.metrics.away.Add(1)
		}
		last = err
		return err
	}, backoff.WithContext(newBackoff(), ctx))
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case last != nil:
		return fmt.Errorf("%w (last failure: %w)", context.Cause(ctx), last)
	}
	return context.Cause(ctx)
}

// joinContext returns a context that ends with either of two.
func joinContext(ctx, other context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(other, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
