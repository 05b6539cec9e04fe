package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// concurrentReads bounds the reads of history under way.
const concurrentReads = 32

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
	producer      appender
	history       archive
	edge          *admission
	heart         *heart
	watch         *guard.Guard // compares the log with ClickHouse
	heights       *heights     // of the connector
	clock         *roles.Clock // of the connector
	troubles      func() []string
	tracers       tracers
	pushPartition int
	reads         chan struct{} // a slot for each read of history
	shares        *shares       // of these, by user
	noHistory     sample
	noOlder       sample
	flushers      *ws.Flushers
	budget        *ws.Budget  // of all connections' queues
	requests      *quota.Pool // of what sessions ask
	reading       *quota.Pool // of messages that are being read
	backlogs      *quota.Pool // of the channels' backlogs

	ctx      context.Context // of everything that works for sessions
	work     sync.WaitGroup  // what spawn started, and connections
	draining atomic.Bool
	broken   chan error // why the incarnation must end; holds the first

	writers []writer // by partition of the events

	mu       sync.RWMutex
	over     bool // no session is admitted any more
	channels map[string]*channel
	left     map[string]time.Time // when large channels were left
	sessions map[string]*session
	large    int // users above which a channel is large
	ended    int // sessions whose connection is gone
}

// appender appends events to the log: an *eventlog.Producer, or a simulated one.
type appender interface {
	Produce(partition int, r eventlog.Record, done func(int64, error)) error
	Unacked() (oldest time.Time, n int)
	Flush(ctx context.Context) error
	Close() error
}

// archive reads history: a *history.Reader, or a simulated one.
type archive interface {
	Read(ctx context.Context, q history.Query) (history.Page, error)
	ReadLog(ctx context.Context, q history.Query, from int64) (history.Page, error)
	Holds(ctx context.Context, channel string) (bool, error)
}

// writer numbers an incarnation's events of one partition.
type writer struct {
	mu      sync.Mutex
	counter uint64
}

func newIncarnation(cfg *Config, log epoch.Log, kafka *eventlog.Client, reader archive) *incarnation {
	id := ulid.Make().String()
	limits := cfg.Limits
	limits.Dedupe = int(log.Window)
	return &incarnation{
		id: id, cfg: cfg, limits: limits, log: log, kafka: kafka, history: reader,
		logger:  cfg.Logger.With("connector", id),
		metrics: newMetrics(cfg.Meters),
		tracers: newTracers(cfg),
		reads:   make(chan struct{}, concurrentReads), shares: newShares(),
		noHistory: sample{message: "history cannot be read"}, noOlder: sample{message: "joins are answered without older history"},
		flushers: ws.NewFlushers(),
		budget:   ws.NewBudget(maxQueued, nil), // until the connector's takes its place
		requests: quota.NewPool(requestBytes, requestShare),
		reading:  quota.NewPool(readingBytes, 0),
		backlogs: quota.NewPool(backlogTotal, 0),
		broken:   make(chan error, 1),
		writers:  make([]writer, log.Partitions),
		left:     map[string]time.Time{},
		large:    lingerAbove,
		channels: map[string]*channel{}, sessions: map[string]*session{},
	}
}

// run lives one life: it returns why it ended, nil when ctx did. ready is
// called when sessions may come.
func (inc *incarnation) run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inc.ctx = ctx
	inc.producer = inc.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer inc.producer.Close()

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
		Topic: schema.TopicPush, Partition: inc.pushPartition, Offset: end,
		OnReconnect: func(ctx context.Context) error { return inc.log.Check(ctx, inc.kafka) },
	})
	defer pushes.Close()

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
	start(inc.heart.run)
	start((&stream{inc: inc, seen: pushChain{}}).follow(pushes))
	select {
	case <-inc.heart.started:
		// Whoever raises the log's format sees the beat, or the beat's sender
		// sees the raise.
		if err := epoch.CheckFormat(ctx, inc.kafka); err != nil {
			return err
		}
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

func (inc *incarnation) partitionOf(channel string) int {
	return schema.PartitionOf(channel, inc.log.Partitions)
}

// publish appends an event, within a request's span. done gets its offset once it is durable on all
// in-sync replicas, on a goroutine that must not wait. With an error nothing
// was queued and done is not called.
func (inc *incarnation) publish(partition int, channel string, e *schema.Event, within tracing.Span, done func(int64, error)) error {
	w := &inc.writers[partition]
	w.mu.Lock()
	defer w.mu.Unlock()
	began := time.Now()
	e.Time, e.Connector, e.Counter = began.UnixMilli(), inc.id, w.counter+1
	value, err := proto.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	rec := eventlog.Record{Key: []byte(channel), Value: value}
	span := inc.tracers.events.Send(within, partition, len(value))
	rec.Headers = span.Headers()
	err = inc.producer.Produce(partition, rec, func(offset int64, err error) {
		span.Acknowledged(offset, err)
		if errors.Is(err, eventlog.ErrLogReplaced) {
			inc.fail(epoch.Replaced(err))
		}
		if err == nil {
			inc.heights.note(partition, offset)
			inc.metrics.acknowledged(e, time.Since(began))
		}
		done(offset, err)
	})
	if err != nil {
		span.End(err)
		if !errors.Is(err, eventlog.ErrQueueFull) && !errors.Is(err, eventlog.ErrRecordTooLarge) {
			inc.fail(err) // the producer has ended
		}
		return err
	}
	w.counter++
	return nil
}

// channel is the channel of that name; nil when it has no member here.
func (inc *incarnation) channel(name string) *channel {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	return inc.channels[name]
}

func (inc *incarnation) subscribe(name string) *channel {
	ch := &channel{Channel: room.New(name, room.Options{
		Window: inc.log.Window, Entries: 3 * inc.limits.Recover, Presence: inc.limits.Presence, Backlogs: inc.backlogs,
	}), partition: inc.partitionOf(name)}
	inc.mu.Lock()
	defer inc.mu.Unlock()
	inc.channels[name] = ch
	return ch
}

// unsubscribe forgets a channel, whose lock is held.
func (inc *incarnation) unsubscribe(ch *channel) {
	inc.mu.Lock()
	defer inc.mu.Unlock()
	delete(inc.channels, ch.Name())
	if ch.Count() > inc.large {
		inc.left[ch.Name()] = time.Now()
	}
}

func (inc *incarnation) allChannels() []*channel {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	all := make([]*channel, 0, len(inc.channels))
	for _, ch := range inc.channels {
		all = append(all, ch)
	}
	return all
}

func (inc *incarnation) session(id string) *session {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	return inc.sessions[id]
}

// admit adds a session and serves it, unless the incarnation is over.
func (inc *incarnation) admit(s *session) bool {
	inc.mu.Lock()
	defer inc.mu.Unlock()
	if inc.over {
		return false
	}
	inc.sessions[s.id] = s
	inc.metrics.connections.Add(1)
	inc.spawn(s.serve)
	return true
}

// noteEnded counts a session whose connection is gone. It is false when so many
// wait for their users to come back that this one must not.
func (inc *incarnation) noteEnded() bool {
	inc.mu.Lock()
	defer inc.mu.Unlock()
	inc.ended++
	return inc.ended <= inc.cfg.MaxConnections
}

// overfull reports whether the log takes leaves so slowly that more sessions
// would be more than memory is meant for.
func (inc *incarnation) overfull() bool {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	return inc.ended > 2*inc.cfg.MaxConnections
}

// closeSessions ends every session; none comes after them.
func (inc *incarnation) closeSessions(code int, reason string) {
	inc.mu.Lock()
	inc.over = true
	inc.mu.Unlock()
	for _, s := range inc.allSessions() {
		s.front.Close(code, reason)
	}
}

func (inc *incarnation) forget(s *session) {
	inc.mu.Lock()
	defer inc.mu.Unlock()
	if inc.sessions[s.id] != nil {
		delete(inc.sessions, s.id)
		inc.ended--
	}
}

func (inc *incarnation) allSessions() []*session {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	all := make([]*session, 0, len(inc.sessions))
	for _, s := range inc.sessions {
		all = append(all, s)
	}
	return all
}
