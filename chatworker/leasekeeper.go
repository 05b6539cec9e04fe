package chatworker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/chatworker/lease"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// leaseKeeper does what the owner of the control partition does: it makes the time
// by which connectors are judged, and declares the dead ones down. It outlives
// an assignment, as an owner that keeps the partition over a rebalance keeps
// its claim. The group gives the partition to one handler at a time, which is
// the only one that uses it.
type leaseKeeper struct {
	w        *Worker
	producer *eventlog.Producer // nil without a claim
	claim    int64              // its offset
	number   int64              // of the newest tick

	ticked chan time.Time              // of ticks, when they are acknowledged
	rules  atomic.Pointer[rules.Table] // while this worker has a claim
}

func newLeaseKeeper(w *Worker) *leaseKeeper {
	return &leaseKeeper{w: w, ticked: make(chan time.Time, 1)}
}

// serve owns the control partition until ctx ends.
func (k *leaseKeeper) serve(ctx context.Context) error {
	if err := k.claimLease(ctx); err != nil {
		k.close()
		return err
	}
	k.w.keeping.Store(true)
	defer k.w.keeping.Store(false)
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return k.tick(running) })
	g.Go(func() error { return k.declareDown(running) })
	g.Go(func() error { return k.sweepRules(running) })
	g.Go(func() error {
		k.w.capacity.Watch(running, k.w.client, k.w.log)
		return nil
	})
	err := g.Wait()
	if ctx.Err() != nil {
		return nil
	}
	k.close()
	if errors.Is(err, eventlog.ErrLogReplaced) {
		return k.w.watch.lostControl(ctx, err)
	}
	return err
}

// close gives the claim up.
func (k *leaseKeeper) close() {
	if k.producer != nil {
		k.producer.Close()
		k.producer = nil
	}
}

// claimLease makes sure that the newest claim is this worker's.
func (k *leaseKeeper) claimLease(ctx context.Context) error {
	_, end, err := k.w.client.Offsets(ctx, schema.TopicControl, 0)
	if err != nil {
		return err
	}
	if err := k.w.control.reach(ctx, end); err != nil {
		return err
	}
	if k.producer != nil && k.w.control.newestClaim() == k.claim {
		err := k.producer.Flush(ctx) // a tick may be under way
		if !errors.Is(err, eventlog.ErrFenced) {
			return err
		}
	}
	k.close()
	k.producer = k.w.client.NewProducer(eventlog.ProducerConfig{
		Topic:           schema.TopicControl,
		TransactionalID: fmt.Sprintf("worker-%s-control", k.w.cfg.Group),
	})
	if err := k.producer.Init(ctx); err != nil {
		return fmt.Errorf("fence the owner of %s before: %w", schema.TopicControl, err)
	}
	claim, err := newEntry(0, schema.ControlKeyClaim, &schema.ControlClaim{Worker: k.w.id, Time: time.Now().UnixMilli()})
	if err != nil {
		return err
	}
	k.claim, err = appendAll(ctx, k.producer, claim)
	if err != nil {
		return fmt.Errorf("claim %s: %w", schema.TopicControl, err)
	}
	k.number = 0
	k.w.log.Info("keeping the leases of the connectors", "claim", k.claim)
	return nil
}

// tick appends ticks, each a second after the one before was acknowledged.
func (k *leaseKeeper) tick(ctx context.Context) error {
	timer := time.NewTimer(k.w.timing.tick)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		k.number++
		now := time.Now()
		tick, err := newEntry(0, schema.ControlKeyTick, &schema.Tick{Claim: k.claim, Number: k.number, Time: now.UnixMilli()})
		if err != nil {
			return err
		}
		if _, err := appendAll(ctx, k.producer, tick); err != nil {
			return fmt.Errorf("append a tick: %w", err)
		}
		select {
		case k.ticked <- now:
		default: // the sweeper is busy
		}
		timer.Reset(k.w.timing.tick)
	}
}

// declareDown declares dead connectors down, everywhere, and then removes their beats.
// Those that wait for a partition that cannot be written do not hold up the others.
func (k *leaseKeeper) declareDown(ctx context.Context) error {
	declaring := newUnderWay[string]()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		for {
			dead, err := k.w.control.due(ctx, k.claim, declaring)
			if err != nil {
				return err
			}
			k.tell(dead)
			g.Go(func() error {
				defer func() {
					for _, d := range dead {
						declaring.end(d.Connector)
					}
				}()
				return k.declare(ctx, dead)
			})
		}
	})
	return g.Wait()
}

// declare declares connectors down and removes their beats. It returns when
// that was read.
func (k *leaseKeeper) declare(ctx context.Context, dead []lease.Death) error {
	if err := k.w.downs.everywhere(ctx, dead); err != nil {
		return fmt.Errorf("declare connectors down: %w", err)
	}
	k.w.metrics.died(dead)
	last, err := appendAll(ctx, k.producer, tombstones(dead)...)
	if err != nil {
		return fmt.Errorf("remove the beats of connectors that are down: %w", err)
	}
	return k.w.control.reach(ctx, last+1)
}

// tell logs which connectors are declared down. That one has drained is normal;
// that one crashed is not.
func (k *leaseKeeper) tell(dead []lease.Death) {
	var drained, crashed []string
	for _, d := range dead {
		if d.Reason == schema.Reason_REASON_DISCONNECT {
			drained = append(drained, d.Connector)
		} else {
			crashed = append(crashed, d.Connector)
		}
	}
	if len(drained) > 0 {
		k.w.log.Info("connectors have drained and ended", "connectors", drained)
	}
	if len(crashed) > 0 {
		k.w.log.Warn("declaring connectors down that crashed or do not reach Kafka: their users leave their channels", "connectors", crashed)
	}
}

func tombstones(dead []lease.Death) []entry {
	entries := make([]entry, len(dead))
	for i, d := range dead {
		entries[i] = entry{key: []byte(schema.ControlKeyBeat(d.Connector))}
	}
	return entries
}
