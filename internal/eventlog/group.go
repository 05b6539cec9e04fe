package eventlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// Defaults of a GroupConfig.
const (
	defaultSessionTimeout    = 6 * time.Second
	defaultHeartbeatInterval = 500 * time.Millisecond
	// Well below the time a join may take: a broker may restart the time-out
	// with every member that joins, and members that give up and rejoin in turns
	// would never form a group.
	defaultRebalanceTimeout = 3 * time.Second

	rejoinBackoff = 300 * time.Millisecond
	groupTimeout  = 12 * time.Second // and the rebalance time-out on top, for a join
	// leavePatience is how long leaving may take before what holds it up is
	// interrupted.
	leavePatience = time.Second
)

// GroupConfig is which consumer group to join.
type GroupConfig struct {
	// Group is the consumer group's id.
	Group string
	// Topics are those whose partitions the group shares out.
	Topics []string
	// SessionTimeout is how long a member may be silent before its partitions
	// go to others. Defaults to 6 s, the least that brokers allow by default.
	SessionTimeout time.Duration
	// HeartbeatInterval is also how soon a member notices that it must give
	// partitions up. Defaults to 500 ms.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long handlers may take to return once their
	// context ended. Defaults to 3 s.
	RebalanceTimeout time.Duration
	// MayGrow: partitions may be added to the topics, which are shared out then too,
	// within seconds.
	MayGrow bool
	// UserData is what this member shows to whoever describes the group; see
	// [Client.Group].
	UserData []byte
	// Joined, if it is given, is called with true when a generation of the group
	// begins for this member and with false when it ends, in turns.
	Joined func(bool)
}

// Assignment is one partition that the group gave to this member.
type Assignment struct {
	Topic     string
	Partition int
	// Committed is the offset that was committed last, or -1 if none was.
	Committed int64

	client     *Client
	generation *kafka.Generation
	membership *membership
}

// Commit records in the group that everything below nextOffset was handled. It is
// for tools that measure lag: where to resume is the handler's own business.
// It fails when the partition has passed to another member.
func (a Assignment) Commit(ctx context.Context, nextOffset int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.generation == nil {
		return ErrClosed
	}
	err := a.generation.CommitOffsets(map[string]map[int]int64{a.Topic: {a.Partition: nextOffset}})
	if err != nil {
		return fmt.Errorf("commit offset %d of %s/%d: %w", nextOffset, a.Topic, a.Partition, err)
	}
	return nil
}

// RunGroup joins a consumer group and runs handle for every partition that the
// group assigns to this member, each in a goroutine of its own. The handler's
// context ends when the partition is taken away or ctx ends; it must then
// return soon, because no member gets the partition before that.
//
// A topic that does not exist yet is waited for.
//
// A member of which [Assignment.CommitNoting] does not know whether it succeeded leaves
// the group and joins it again as another one: handlers end, and are started again.
//
// RunGroup returns nil once ctx has ended, every handler has returned and the
// group was left. It returns an error, after the same steps, when a handler
// returns before its context has ended, with an error or without, and when the
// cluster refuses the membership. It waits out every other failure.
func (c *Client) RunGroup(ctx context.Context, cfg GroupConfig, handle func(context.Context, Assignment) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &member{client: c, log: c.log, metrics: c.metrics, outage: c.cfg.Outage, cfg: cfg, handle: handle, fail: cancel, conns: newConnTracker(c.cfg.Dial)}
	for _, topic := range cfg.Topics {
		_, err := c.awaitTopic(ctx, topic)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("consumer group %s: topic %s: %w", cfg.Group, topic, err)
		}
	}
	for {
		err := m.belong(ctx)
		var failed *handlerError
		if errors.As(context.Cause(ctx), &failed) {
			return failed.error
		}
		if err != nil || sleep(ctx, rejoinBackoff) != nil {
			return err
		}
	}
}

// membership is one stay in a group.
type membership struct {
	end    context.CancelCauseFunc
	unsure atomic.Bool // a commit of it may reach the broker yet
}

// belong is a member of the group until ctx ends or a commit is unsure, both of which it
// returns nil for, or the cluster refuses the membership.
func (m *member) belong(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	group, err := kafka.NewConsumerGroup(m.groupConfig(m.client))
	if err != nil {
		return fmt.Errorf("consumer group %s: %w", m.cfg.Group, err)
	}
	err = m.run(ctx, group, &membership{end: end})
	if cause := context.Cause(ctx); errors.Is(cause, errUnsure) {
		m.log.Warn("joining a consumer group again as a new member: a commit has no answer, and must not count if it arrives late", "group", m.cfg.Group, "error", cause)
	}
	end(nil)
	m.leave(group)
	return err
}

// groupConfig is how kafka-go is to keep the membership.
func (m *member) groupConfig(c *Client) kafka.ConsumerGroupConfig {
	dialer := c.dialer()
	dialer.DialFunc = m.conns.dial
	return kafka.ConsumerGroupConfig{
		ID:                m.cfg.Group,
		Brokers:           c.cfg.Brokers,
		Dialer:            dialer,
		Topics:            m.cfg.Topics,
		GroupBalancers:    []kafka.GroupBalancer{balancer{userData: m.cfg.UserData, missed: &m.missed, roster: &m.roster, unproven: &m.unproven}},
		SessionTimeout:    cmp.Or(m.cfg.SessionTimeout, defaultSessionTimeout),
		HeartbeatInterval: cmp.Or(m.cfg.HeartbeatInterval, defaultHeartbeatInterval),
		RebalanceTimeout:  cmp.Or(m.cfg.RebalanceTimeout, defaultRebalanceTimeout),
		JoinGroupBackoff:  rejoinBackoff,
		Timeout:           groupTimeout,
		StartOffset:       kafka.FirstOffset,

		WatchPartitionChanges: m.cfg.MayGrow,
	}
}

// member is this process in a group.
type member struct {
	client  *Client
	log     *slog.Logger
	metrics *metrics
	outage  *Outage
	cfg     GroupConfig
	handle  func(context.Context, Assignment) error
	fail    context.CancelCauseFunc // ends the membership with a handlerError

	conns    *connTracker // the group's connections
	handlers atomic.Int64 // handlers that have not returned
	missed   atomic.Bool  // this member shared out less than there may be
	roster   atomic.Value // string: the members when this one shared out last
	unproven atomic.Bool  // this member shared out to others than the last time
}

// handlerError carries a handler's failure to RunGroup's caller.
type handlerError struct{ error }

// run starts handlers, generation after generation, until ctx ends.
func (m *member) run(ctx context.Context, group *kafka.ConsumerGroup, own *membership) error {
	failing := false
	defer func() {
		if failing {
			m.metrics.away.Add(-1)
			m.outage.Forget(m)
		}
	}()
	for {
		generation, err := group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			if failing {
				failing = false
				m.metrics.away.Add(-1)
				m.outage.Over(m)
			}
			m.start(ctx, generation, own)
		case errors.Is(err, kafka.RebalanceInProgress): // the group joins again at once
		case isPermanent(err):
			m.metrics.failed(opGroup, err, false)
			return fmt.Errorf("consumer group %s: %w", m.cfg.Group, err)
		default:
			m.metrics.failed(opGroup, err, true)
			m.outage.Note(ctx, m, "joining consumer group "+m.cfg.Group, err)
			if !failing {
				failing = true
				m.metrics.away.Add(1)
			}
		}
	}
}

// start runs a handler for each partition of a generation.
func (m *member) start(ctx context.Context, generation *kafka.Generation, own *membership) {
	if m.cfg.Joined != nil {
		m.cfg.Joined(true)
		generation.Start(func(ended context.Context) { // the next one begins after it has returned
			<-ended.Done()
			m.cfg.Joined(false)
		})
	}
	if m.missed.Swap(false) { // end this generation soon, so that the next one gets it right
		generation.Start(func(ctx context.Context) { sleep(ctx, rejoinBackoff) })
	}
	if m.unproven.Swap(false) { // a member that died while it joined may never be missed: ask once more
		generation.Start(func(ctx context.Context) { sleep(ctx, cmp.Or(m.cfg.SessionTimeout, defaultSessionTimeout)+time.Second) })
	}
	for topic, partitions := range generation.Assignments {
		for _, p := range partitions {
			a := Assignment{Topic: topic, Partition: p.ID, Committed: max(p.Offset, -1), client: m.client, generation: generation, membership: own}
			m.handlers.Add(1)
			generation.Start(func(ended context.Context) {
				defer m.handlers.Add(-1)
				ctx, stop := joinContext(ctx, ended)
				defer stop()
				m.handled(ctx, a, m.handle(ctx, a))
			})
		}
	}
}

// balancer shares partitions out as evenly as each topic allows, in ranges.
type balancer struct {
	kafka.RangeGroupBalancer
	userData []byte
	missed   *atomic.Bool
	roster   *atomic.Value
	unproven *atomic.Bool
}

// UserData goes along with the membership.
func (b balancer) UserData() ([]byte, error) { return b.userData, nil }

// AssignGroups runs in the member that shares out for all. A broker that does
// not know a new topic yet shows it without partitions, and kafka-go would
// leave it at that. And a member that died while it joined may be listed
// forever by some brokers, with nobody to serve its partitions; a rebalance after
// its session time-out drops it.
func (b balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	now := strings.Join(ids, " ")
	if before := b.roster.Swap(now); before != now {
		b.unproven.Store(true)
	}
	for _, m := range members {
		for _, topic := range m.Topics {
			if !slices.ContainsFunc(partitions, func(p kafka.Partition) bool { return p.Topic == topic }) {
				b.missed.Store(true)
			}
		}
	}
	return b.RangeGroupBalancer.AssignGroups(members, partitions)
}

// leave waits for the handlers and leaves the group. Close alone would wait for
// a join under way, which lasts as long as other members take to give their
// partitions up; cutting the connection ends it.
func (m *member) leave(group *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		group.Close() // never fails
	}()
	patience := time.NewTicker(leavePatience)
	defer patience.Stop()
	for {
		select {
		case <-left:
			return
		case <-patience.C:
			if m.handlers.Load() == 0 {
				m.conns.cut()
			}
		}
	}
}

// handled judges how a handler returned. Once its context has ended it may
// return anything: an error is then only logged, because a member that lost
// its partition meets errors that it did not cause.
func (m *member) handled(ctx context.Context, a Assignment, err error) {
	switch {
	case ctx.Err() == nil && err == nil:
		m.fail(&handlerError{fmt.Errorf("the handler of %s/%d returned although the partition is still its own", a.Topic, a.Partition)})
	case ctx.Err() == nil:
		m.fail(&handlerError{fmt.Errorf("%s/%d: %w", a.Topic, a.Partition, err)})
	case err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errUnsure): // of which belong speaks
		m.log.Warn("a handler failed while it gave up its partition",
			"group", m.cfg.Group, "topic", a.Topic, "partition", a.Partition, "error", err)
	}
}
