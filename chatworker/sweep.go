package chatworker

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// sweepTicks is from one look for rules that are over to the next, in ticks.
const sweepTicks = 10

// sweepRules removes rules that are over from parley.rules until ctx ends. That
// it cannot read or write the topic is reported, and stops nothing else.
func (k *leaseKeeper) sweepRules(ctx context.Context) error {
	table := rules.NewTable()
	sweep := rules.NewSweep(table)
	follower := rules.NewFollower(rules.FollowConfig{
		Kafka: k.w.client, Table: table, Changed: sweep.Note, Logger: k.w.log,
		Skipped: func(offset int64, err error) { k.w.skipCorrupt(ctx, schema.TopicRules, 0, offset, err) },
	})
	k.rules.Store(table)
	defer k.rules.Store(nil)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		follower.Run(ctx)
		return ctx.Err()
	})
	g.Go(func() error {
		select {
		case <-follower.CaughtUp():
			return k.sweep(ctx, sweep)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return g.Wait()
}

// sweep looks for rules that are over every few ticks, which are its clock.
func (k *leaseKeeper) sweep(ctx context.Context, sweep *rules.Sweep) error {
	for ticks := 0; ; {
		var now time.Time
		select {
		case now = <-k.ticked:
		case <-ctx.Done():
			return ctx.Err()
		}
		if ticks++; ticks < sweepTicks {
			continue
		}
		ticks = 0
		next := sweep.Next(now, k.w.control.tokenAge())
		if len(next) == 0 {
			continue
		}
		if err := rules.Write(ctx, k.w.client, next...); err != nil && ctx.Err() == nil {
			k.w.log.Warn("cannot remove rules that are over from "+schema.TopicRules+": trying again", "rules", len(next), "error", err)
		}
	}
}
