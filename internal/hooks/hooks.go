// Package hooks is the role that sends events out: it reads parley.events, makes
// of each record what it means for people outside, and POSTs that to one URL, in
// order, at least once. Processes with one name share the partitions as a
// consumer group; each name has everything of its own.
//
//	parley.events ─▶ partition (one goroutine each, translator) ─▶ receiver, by HTTP
//	                     │ now and then, once the receiver has them
//	                     ▼
//	                parley.hooks ─▶ the next owner
//
// What a record means is decided without I/O, by translator: it depends on the
// log's prefix alone. So an owner that repeats what the one before has sent sends
// the same events with the same keys.
package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// DefaultName is the name of hooks that were given none.
const DefaultName = "default"

// Config configures Hooks.
type Config struct {
	roles.Base
	// Name is whose position in the log it is. Processes with one name share the
	// partitions; they must be configured alike. Defaults to DefaultName.
	Name string
	// Receiver is where the events go; its time-out defaults to 30 s.
	Receiver webhook.Receiver
	// Filter is which events go there.
	Filter Filter
	// From is where a name begins that was never used before.
	From From
	// GiveUp is after how long events that the receiver does not take are
	// skipped; 0: never.
	GiveUp time.Duration
}

// timing are the times that tests change.
type timing struct {
	position, checkpoint     time.Duration // how often each is written
	firstRetry, longestRetry time.Duration
	fenced                   time.Duration // see own
	lastAnswer               time.Duration // how long an answer is waited for as this role stops
}

// pause is how long to wait after a failure: as long as the receiver says, within
// bounds, or as the backoff has it.
func (t *timing) pause(err error, wait backoff.BackOff) time.Duration {
	var refused *webhook.Refused
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return min(max(refused.RetryAfter, t.firstRetry), t.longestRetry)
	}
	return wait.NextBackOff()
}

// Hooks sends the events of partitions. Make one with New; its methods are safe for
// concurrent use.
type Hooks struct {
	cfg      Config
	id       string // for people
	log      *slog.Logger
	client   *eventlog.Client
	receiver *webhook.Sender
	timing   timing
	metrics  *metrics

	epoch   epoch.Log // set by open before anything uses it
	started atomic.Pointer[time.Time]

	assigned, serving, lost atomic.Int64
	member                  roles.Membership
	served                  atomic.Bool
	gone                    atomic.Bool // the receiver answered 410
	events, requests        atomic.Int64
	troubles                troubles
}

// Stats counts what Hooks did since they started.
type Stats struct {
	// Events were taken by the receiver, in as many Requests.
	Events, Requests int64
}

// Stats returns the counters.
func (h *Hooks) Stats() Stats { return Stats{Events: h.events.Load(), Requests: h.requests.Load()} }

// New returns Hooks. It checks cfg and does nothing else.
func New(cfg Config) (*Hooks, error) {
	cfg.SetDefaults(roles.Hooks)
	cfg.Name = cmp.Or(cfg.Name, DefaultName)
	if err := CheckName(cfg.Name); err != nil {
		return nil, err
	}
	cfg.Receiver.Timeout = cmp.Or(cfg.Receiver.Timeout, 30*time.Second)
	r, err := webhook.NewSender(cfg.Receiver)
	if err != nil {
		return nil, err
	}
	client, err := eventlog.New(cfg.Kafka)
	if err != nil {
		return nil, fmt.Errorf("hooks: %w", err)
	}
	h := &Hooks{
		cfg: cfg, id: roles.Process(), log: cfg.Logger.With("name", cfg.Name), client: client, receiver: r,
		timing: timing{
			position: time.Second, checkpoint: 5 * time.Second,
			firstRetry: 500 * time.Millisecond, longestRetry: time.Minute, fenced: 3 * time.Second, lastAnswer: time.Second,
		},
		metrics: newMetrics(cfg.Meters),
	}
	h.troubles.log = h.log
	return h, nil
}

// group is the consumer group of a name.
func group(name string) string { return roles.HooksGroup + "-" + name }

// Run sends events until ctx ends, and returns nil then. Everything that it started
// has ended when it returns. It waits for brokers and a receiver that are away; the
// errors it returns are for an operator. Run must be called once only.
func (h *Hooks) Run(ctx context.Context) error {
	defer h.client.Close()
	defer h.receiver.Close()
	if err := h.open(ctx); err != nil {
		return stopped(ctx, err)
	}
	defer h.gauges()()
	own, err := roles.UserData(roles.Hooks, h.id)
	if err != nil {
		return err
	}
	return stopped(ctx, h.client.RunGroup(ctx, eventlog.GroupConfig{
		Group: group(h.cfg.Name), Topics: []string{schema.TopicEvents}, UserData: own, Joined: h.member.Set,
	}, h.serve))
}

func (h *Hooks) open(ctx context.Context) (err error) {
	h.epoch, err = epoch.Open(ctx, h.client, epoch.Options{
		Partitions: h.cfg.Partitions, Replication: h.cfg.Replication, Await: true, Logger: h.log,
	})
	if err != nil {
		return err
	}
	info, err := h.client.TopicInfo(ctx, schema.TopicHooks)
	if err != nil {
		return fmt.Errorf("look up %s, which `parley topics create` creates: %w", schema.TopicHooks, err)
	}
	if info.Partitions != h.epoch.Partitions {
		return fmt.Errorf("%s has %d partitions, the log has %d: delete the topic, and start the hooks of every name with --from", schema.TopicHooks, info.Partitions, h.epoch.Partitions)
	}
	now := time.Now()
	h.started.Store(&now)
	h.log.Info("events go out", "to", h.receiver.String(), "kinds", h.cfg.Filter.String())
	return nil
}

// serve is the handler of one partition of the group.
func (h *Hooks) serve(ctx context.Context, a eventlog.Assignment) error {
	h.assigned.Add(1)
	defer h.assigned.Add(-1)
	err := h.own(ctx, a)
	var cut *epoch.Cut
	if !errors.As(err, &cut) || ctx.Err() != nil {
		return err
	}
	h.log.Error("a partition is not served any more, the others are", "partition", a.Partition, "error", err)
	h.lost.Add(1)
	defer h.lost.Add(-1)
	<-ctx.Done()
	return nil
}

// own serves a partition, and again when it was fenced.
func (h *Hooks) own(ctx context.Context, a eventlog.Assignment) error {
	err := roles.Own(ctx, h.timing.fenced, func(ctx context.Context) error { return h.servePartition(ctx, a) }, func() {
		h.log.Warn("taking a partition again that another process took meanwhile", "partition", a.Partition)
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, eventlog.ErrFenced):
		return fmt.Errorf("another program keeps writing what the owner of partition %d of hooks %s writes; stop those that are not in group %s of this cluster: %w", a.Partition, h.cfg.Name, group(h.cfg.Name), err)
	}
	return err
}

// stopped returns nil for the error of a stop that was requested.
func stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return nil
	}
	return fmt.Errorf("hooks: %w", err)
}

var errName = errors.New("the name of hooks has 1 to 64 letters, digits, - and _")

// CheckName says what is wrong with a name, and does not quote it.
func CheckName(name string) error {
	if name == "" || len(name) > 64 {
		return errName
	}
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return errName
		}
	}
	return nil
}

// troubles are the partitions whose events the receiver does not take. Safe for
// concurrent use.
type troubles struct {
	log *slog.Logger
	mu  sync.Mutex
	all map[int]trouble
}

type trouble struct {
	since  time.Time
	reason string
}

// begin notes the first failure of a partition; those of many partitions at once are
// one line of the log.
func (t *troubles) begin(partition int, b *batch, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[int]trouble{}
	}
	if _, known := t.all[partition]; known {
		return
	}
	t.all[partition] = trouble{time.Now(), err.Error()}
	if len(t.all) == 1 {
		t.log.Warn("the receiver does not take events: trying again until it does", "error", err, "partition", partition, "from", b.from(), "to", b.to())
	}
}

// end notes that a partition's events were taken, or given up.
func (t *troubles) end(partition int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, known := t.all[partition]
	delete(t.all, partition)
	if known && len(t.all) == 0 {
		t.log.Info("no events wait for the receiver any more", "partition", partition, "after", time.Since(was.since).Round(time.Millisecond))
	}
}

// worst is the partition in trouble for the longest time.
func (t *troubles) worst() (partition int, of trouble, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, tr := range t.all {
		if of.since.IsZero() || tr.since.Before(of.since) {
			partition, of = p, tr
		}
	}
	return partition, of, len(t.all)
}
