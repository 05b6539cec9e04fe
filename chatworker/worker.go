// Package chatworker folds the log of events into pushes: it sends each
// connector what happened in the channels in which it has members. Any number
// of workers share the partitions of parley.events as one consumer group.
//
// What an event means is decided by package fold, who is dead by package
// lease; both are pure. This package is what surrounds them:
//
//	parley.events ─▶ partition (one goroutine each, fold.Fold) ─▶ parley.push
//	                     │ every few seconds, once the pushes are acknowledged
//	                     ▼
//	                parley.state ─▶ the next owner
//
//	parley.control ─▶ control (lease.Machine, in every worker)
//	                     ▲ claim, ticks, tombstones
//	                  keeper (the worker that owns the partition) ─▶ downs
//	                     │ tombstones for what is over
//	                     ▼
//	                parley.rules
//
// Pushes carry no fencing: an owner that does not know that it was replaced
// sends the same pushes as its successor, and receivers drop what they have
// seen. State and ticks are written by producers that the next owner fences.
package chatworker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/parley-chat/parley/internal/capacity"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

const (
	defaultFlushEvery = 5 * time.Second

	// pushBudget bounds the bytes of pushes that are not acknowledged, over all
	// partitions. At the bound the partitions wait.
	pushBudget = 32 << 20
	// pushCost is what a push takes of it besides its bytes.
	pushCost = 128
)

// Config configures a Worker.
type Config struct {
	roles.Base
	// Group is the consumer group that shares the partitions. Its name is part
	// of the names that fence writers of state, so workers of one log must not
	// be split over several. Defaults to parley-chatworker.
	Group string
	// FlushEvery is how often changed state is written. A worker that takes
	// over repeats the pushes since the last time. Defaults to 5 s.
	FlushEvery time.Duration
}

// timing are the times that tests change.
type timing struct {
	// From a tick's acknowledgement to the next tick.
	tick time.Duration
	// How long a worker that was fenced waits for the group to revoke its
	// partition. Several heartbeats.
	fenced time.Duration
	// From one check for deleted events to the next.
	watch time.Duration
	// How long a partition that is given up may take to write its state.
	final time.Duration
}

// Stats counts what a Worker did since it started.
type Stats struct {
	// Events were applied, Corrupt records were skipped, Pushes were sent.
	Events, Corrupt, Pushes int64
	// Partitions of parley.events that are served now.
	Partitions int64
}

// Worker serves partitions of parley.events. Make one with New; its methods
// are safe for concurrent use.
type Worker struct {
	cfg    Config
	id     string // for people
	log    *slog.Logger
	client *eventlog.Client
	timing timing

	// Set by open before anything uses them.
	epoch     epoch.Log
	controlID [16]byte // Kafka's id of parley.control
	pushes    *eventlog.Producer
	// Signals have connections of their own, so that pushes never wait for them.
	signalClient *eventlog.Client
	signalPushes *eventlog.Producer
	budget       *semaphore.Weighted // of pushes, in bytes
	downs        *downs
	keeper       *leaseKeeper

	eventSpans, pushSpans *tracing.Topic

	control  *control
	capacity capacity.Kafka // while this worker keeps the leases
	watch    *watch
	holdings holdings
	kept     keptPartitions

	started           atomic.Pointer[time.Time] // when the log was open
	assigned, serving atomic.Int64              // partitions of parley.events
	lost              atomic.Int64              // those assigned that lack events they need
	events, corrupt   atomic.Int64
	pushed            atomic.Int64
	member            roles.Membership
	served            atomic.Bool  // a partition was served once: it is not a spare
	keeping           atomic.Bool  // this worker keeps the leases
	queued            atomic.Int64 // bytes of pushes that are not acknowledged
	metrics           *metrics
}

// New returns a Worker. It checks cfg and does nothing else.
func New(cfg Config) (*Worker, error) {
	cfg.SetDefaults(roles.Chatworker)
	cfg.Group = cmp.Or(cfg.Group, roles.ChatworkerGroup)
	cfg.FlushEvery = cmp.Or(cfg.FlushEvery, defaultFlushEvery)
	client, err := eventlog.New(cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("chat worker: %w", err)
	}
	w := &Worker{
		cfg: cfg, id: roles.Process(), log: cfg.Logger, client: client,
		timing: timing{tick: time.Second, fenced: 3 * time.Second, watch: watchEvery, final: finalFlush}, metrics: newMetrics(cfg.Meters),
	}
	tracer := tracing.New(cfg.Tracers, "chatworker")
	w.eventSpans, w.pushSpans = tracer.Topic(schema.TopicEvents, cfg.Group), tracer.Topic(schema.TopicPush, "")
	w.control = newControl(w)
	w.watch = &watch{w: w}
	w.keeper = newLeaseKeeper(w)
	return w, nil
}

// Run works until ctx ends, and returns nil then. Everything that it started
// has ended when it returns. It waits for brokers that are away; the errors it
// returns are for an operator: a log that is not the expected one, or that a
// newer parley wrote. Run must be called once only.
func (w *Worker) Run(ctx context.Context) error {
	defer w.client.Close()
	if err := w.open(ctx); err != nil {
		return w.stopped(ctx, err)
	}
	defer w.close()
	defer w.gauges()()
	own, err := roles.UserData(roles.Chatworker, w.id)
	if err != nil {
		return err
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return w.control.run(running) })
	g.Go(func() error { return w.watch.run(running) })
	g.Go(func() error {
		return w.client.RunGroup(running, eventlog.GroupConfig{
			Group: w.cfg.Group, Topics: []string{schema.TopicEvents, schema.TopicControl}, UserData: own,
			Joined: w.member.Set,
		}, w.serve)
	})
	return w.stopped(ctx, g.Wait())
}

// open opens the log and what is written to it.
func (w *Worker) open(ctx context.Context) error {
	log, err := epoch.Open(ctx, w.client, epoch.Options{
		Partitions: w.cfg.Partitions, Replication: w.cfg.Replication, Await: true, Logger: w.log,
	})
	if err != nil {
		return err
	}
	control, err := w.client.TopicInfo(ctx, schema.TopicControl)
	if err != nil {
		return fmt.Errorf("look up %s: %w", schema.TopicControl, err)
	}
	w.epoch, w.controlID = log, control.ID
	w.budget = semaphore.NewWeighted(pushBudget)
	w.pushes = w.client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicPush, MaxBytes: 2 * pushBudget})
	if err := w.openSignals(); err != nil {
		return err
	}
	w.downs = newDowns(w)
	now := time.Now()
	w.started.Store(&now)
	return nil
}

// close closes what open and the handlers left open.
func (w *Worker) close() {
	w.keeper.close()
	w.kept.close()
	w.downs.close()
	w.pushes.Close()
	w.signalPushes.Close()
	w.signalClient.Close()
}

// serve is the handler of one partition of the group.
func (w *Worker) serve(ctx context.Context, a eventlog.Assignment) error {
	if a.Topic == schema.TopicControl {
		return w.own(ctx, a, w.keeper.serve)
	}
	w.assigned.Add(1)
	defer w.assigned.Add(-1)
	err := w.own(ctx, a, func(ctx context.Context) error { return w.servePartition(ctx, a) })
	var cut *epoch.Cut
	if !errors.As(err, &cut) || ctx.Err() != nil {
		return err
	}
	w.log.Error("a partition is not served any more, the others are", "partition", a.Partition, "error", err)
	w.lost.Add(1)
	defer w.lost.Add(-1)
	<-ctx.Done()
	return nil
}

// own runs serve, and runs it again when it was fenced.
func (w *Worker) own(ctx context.Context, a eventlog.Assignment, serve func(context.Context) error) error {
	err := roles.Own(ctx, w.timing.fenced, serve, func() {
		w.log.Warn("taking a partition again that another worker took meanwhile", "topic", a.Topic, "partition", a.Partition)
	})
	if errors.Is(err, eventlog.ErrFenced) {
		return fmt.Errorf("another program keeps writing what the owner of %s/%d writes; stop the chat workers that are not in group %s of this cluster: %w", a.Topic, a.Partition, w.cfg.Group, err)
	}
	return err
}

// stopped returns nil for the error of a stop that was requested.
func (w *Worker) stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	if errors.Is(err, eventlog.ErrLogReplaced) { // of pushes or checkpoints, or found by a write
		return fmt.Errorf("chat worker: %w; start it again: it compares the log with what is remembered of it, and says if the log is to be restored, or `parley epoch new` is needed", err)
	}
	return fmt.Errorf("chat worker: %w", err)
}

// Stats returns the counters.
func (w *Worker) Stats() Stats {
	return Stats{
		Events:     w.events.Load(),
		Corrupt:    w.corrupt.Load(),
		Pushes:     w.pushed.Load(),
		Partitions: w.serving.Load(),
	}
}

// guard refuses a log that is no longer the one that was opened.
func (w *Worker) guard(ctx context.Context) error { return w.epoch.Check(ctx, w.client) }

// skipCorrupt counts and logs records that are skipped.
func (w *Worker) skipCorrupt(ctx context.Context, topic string, partition int, offset int64, err error) {
	w.corrupt.Add(1)
	w.metrics.corrupt.Add(1, topic)
	w.log.WarnContext(ctx, "skipping a corrupt record", "topic", topic, "partition", partition, "offset", offset, "error", err)
}

// holdings knows of which connectors the partitions served here have members.
// The zero value is ready for use.
type holdings struct {
	mu          sync.Mutex
	byPartition map[int][]string
}

// set replaces what a partition holds.
func (h *holdings) set(partition int, connectors []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byPartition == nil {
		h.byPartition = map[int][]string{}
	}
	if len(connectors) == 0 {
		delete(h.byPartition, partition)
		return
	}
	h.byPartition[partition] = connectors
}
