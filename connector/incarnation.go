package connector

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// incarnation is one life of a connector: what it knows is true as long as its
// push stream is unbroken and its lease lasts. When either is in doubt it ends
// its sessions, which come back to the next one and recover.
type incarnation struct {
	id            string
	cfg           *Config
	limits        rpc.Limits
	log           epoch.Log
	logger        *slog.Logger
	metrics       *metrics
	kafka         *eventlog.Client
	events        *publisher
	past          *reader
	signals       *signaller // nil: there are none
	edge          *admission.Control
	rules         *rulebook // of the connector
	formats       formats
	heart         *heart
	watch         *guard.Guard     // compares the log with ClickHouse
	clock         *roles.Clock     // of the connector
	now           func() time.Time // what events are stamped with, and what ends sanctions
	troubles      func() []string
	tracers       tracers
	pushPartition int
	shared        *ws.Shared    // by all connections
	pomelo        *chat.Options // by those of clients of pomelo

	ctx      context.Context // of everything that works for sessions
	work     sync.WaitGroup  // what spawn started, and connections
	draining atomic.Bool
	broken   chan error // why the incarnation must end; holds the first

	channels *channels
	watches  *watches
	guests   *guests
	roster   *roster
	sessions *sessions
	stepped  func(step, state) // called with each step of a place and the state before it; nil: nobody asks
}

func newIncarnation(cfg *Config, log epoch.Log, kafka *eventlog.Client, from archive) *incarnation {
	id := ulid.Make().String()
	limits := cfg.Limits
	limits.Dedupe = int(log.Window)
	inc := &incarnation{
		id: id, cfg: cfg, limits: limits, log: log, kafka: kafka,
		logger:   cfg.Logger.With("connector", id),
		metrics:  newMetrics(cfg.Meters),
		tracers:  newTracers(cfg),
		broken:   make(chan error, 1),
		sessions: newSessions(cfg.MaxConnections),
		rules:    newRulebook(),
		formats:  make(formats, log.Partitions),
		now:      time.Now,
	}
	// The bound of the queues is the connector's, which sets it.
	inc.shared = ws.NewShared(limits, cfg.Edge.ReadRate, nil, func() { inc.metrics.limited.Add(1, "bytes") })
	inc.channels = newChannels(log.Partitions, room.Options{
		Window: log.Window, Entries: 3 * limits.Recover, Presence: limits.Presence, Backlogs: quota.NewPool(backlogTotal, 0),
		FirstEpoch: func() bool { return inc.past.archive.FirstEpoch() },
	})
	inc.events = &publisher{connector: id, topic: inc.tracers.events, metrics: inc.metrics, fail: inc.fail, now: inc.now, writers: make([]writer, log.Partitions)}
	inc.past, inc.watches, inc.guests = newReader(inc, from), newWatches(inc), newGuests(inc)
	inc.roster = &roster{inc: inc, budget: rosterBudget}
	return inc
}

// run lives one life: it returns why it ended, nil when ctx did. ready is
// called when sessions may come.
func (inc *incarnation) run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inc.ctx = ctx
	inc.events.producer = inc.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents, Compress: true})
	defer inc.events.producer.Close()

	inc.heart = newHeart(inc)
	var err error
	if inc.pushPartition, err = inc.heart.choosePartition(ctx); err != nil {
		return err
	}
	_, end, err := inc.kafka.Offsets(ctx, schema.TopicPush, inc.pushPartition)
	if err != nil {
		return fmt.Errorf("find the end of the pushes: %w", err)
	}
	pushes := inc.kafka.NewReader(eventlog.ReaderConfig{
		Own:   true,
		Topic: schema.TopicPush, Partition: inc.pushPartition, Offset: end,
		OnReconnect: func(ctx context.Context) error { return inc.log.Check(ctx, inc.kafka) },
	})
	defer pushes.Close()
	if inc.signals, err = newSignaller(inc); err != nil {
		return err
	}
	defer inc.signals.close()

	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel(nil)
	start := func(part func(context.Context) error) {
		parts.Go(func() {
			if err := part(ctx); err != nil {
				cancel(err)
			}
		})
	}
	parts.Go(func() { inc.signals.follower.Run(ctx) })
	start(inc.heart.run)
	start((&stream{inc: inc, seen: pushChain{}}).follow(pushes))
	select {
	case <-inc.heart.started:
		// Whoever raises the log's format sees the beat, or the beat's sender
		// sees the raise.
		if err := epoch.CheckFormat(ctx, inc.kafka); err != nil {
			return err
		}
		inc.rules.caughtUp(ctx)
		inc.noteFormat()
		start(inc.keep)
		start(inc.watch.Watch)
		parts.Go(func() { roles.WatchClock(ctx, inc.kafka, inc.clock) })
		ready()
	case <-ctx.Done():
	}
	select {
	case <-ctx.Done():
	case err := <-inc.broken:
		cancel(err)
	}
	return context.Cause(ctx)
}

// fail ends the incarnation.
func (inc *incarnation) fail(err error) {
	select {
	case inc.broken <- err:
	default:
	}
}

// spawn runs f, which ends when inc.ctx does.
func (inc *incarnation) spawn(f func()) { inc.work.Go(f) }
