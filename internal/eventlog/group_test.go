package eventlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/internal/testing/await"
)

// ledger notes who handles which partition, and that no two ever do at once.
type ledger struct {
	mu      sync.Mutex
	owner   map[int]string
	trouble []string
	changed chan struct{} // holds a token when something changed
}

func newLedger() *ledger {
	return &ledger{owner: make(map[int]string), changed: make(chan struct{}, 1)}
}

// handler returns a handler that holds its partition until it is taken away.
func (l *ledger) handler(member string) func(context.Context, Assignment) error {
	return func(ctx context.Context, a Assignment) error {
		l.set(a.Partition, "", member)
		<-ctx.Done()
		l.set(a.Partition, member, "")
		return ctx.Err()
	}
}

func (l *ledger) set(partition int, from, to string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner[partition] != from {
		l.trouble = append(l.trouble, fmt.Sprintf("partition %d passed from %q to %q while %q had it",
			partition, from, to, l.owner[partition]))
	}
	l.owner[partition] = to
	wake(l.changed)
}

// await waits until every member has as many partitions as it should.
func (l *ledger) await(t *testing.T, want map[string]int) {
	t.Helper()
	deadline := testContext(t)
	for {
		l.mu.Lock()
		have := make(map[string]int)
		for _, member := range l.owner {
			if member != "" {
				have[member]++
			}
		}
		l.mu.Unlock()
		if fmt.Sprint(have) == fmt.Sprint(want) {
			return
		}
		select {
		case <-l.changed:
		case <-deadline.Done():
			t.Fatalf("members have %v, want %v", have, want)
		}
	}
}

// join runs a member until the returned function stops it and waits.
func join(t *testing.T, c *Client, cfg GroupConfig, handle func(context.Context, Assignment) error) (leave func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.RunGroup(ctx, cfg, handle) }()
	leave = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { leave() })
	return leave
}

func testGroup(topic string) GroupConfig {
	return GroupConfig{Group: topic, Topics: []string{topic}, HeartbeatInterval: 50 * time.Millisecond}
}

func TestGroupSharesPartitionsOut(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 4, nil)
	cfg := testGroup(topic)
	cfg.SessionTimeout = 2 * await.Limit // so that only leaving frees partitions in time
	l := newLedger()
	leaveA := join(t, cl.client(t), cfg, l.handler("a"))
	l.await(t, map[string]int{"a": 4})
	leaveB := join(t, cl.client(t), cfg, l.handler("b"))
	l.await(t, map[string]int{"a": 2, "b": 2})
	if err := leaveA(); err != nil {
		t.Errorf("leaving: %v", err)
	}
	l.await(t, map[string]int{"b": 4})
	if err := leaveB(); err != nil {
		t.Errorf("leaving: %v", err)
	}
	for _, trouble := range l.trouble {
		t.Error(trouble)
	}
}

func TestMoreMembersThanPartitions(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 1, nil)
	l := newLedger()
	leaveA := join(t, cl.client(t), testGroup(topic), l.handler("member"))
	l.await(t, map[string]int{"member": 1})
	leaveB := join(t, cl.client(t), testGroup(topic), l.handler("member"))
	l.await(t, map[string]int{"member": 1})
	leaveA()
	l.await(t, map[string]int{"member": 1})
	leaveB()
	l.await(t, map[string]int{})
}

func TestTopicMayComeAfterTheGroup(t *testing.T) {
	cl := startFake(t) // to see that the member has looked
	c := cl.client(t)
	const topic = "later"
	looks := cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Observe: true, Count: -1})
	l := newLedger()
	join(t, c, testGroup(topic), l.handler("member"))
	if err := looks.Wait(testContext(t), 2); err != nil {
		t.Fatal(err)
	}
	if err := createTopic(testContext(t), c, kafka.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	l.await(t, map[string]int{"member": 2})
}

// TestBrokerMayNotKnowTheTopicYet: the broker that the group's leader asks is
// behind, so that the first generation shares nothing out.
func TestBrokerMayNotKnowTheTopicYet(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic := newTopic(t, c, 2, nil)
	behind := cl.fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Err: kerr.UnknownTopicOrPartition,
		When: func(req kmsg.Request) bool { return req.GetVersion() == 6 }, // as the group asks
	})
	l := newLedger()
	join(t, c, testGroup(topic), l.handler("member"))
	l.await(t, map[string]int{"member": 2})
	if behind.Hits() == 0 {
		t.Error("the broker was never asked in the way that this test answers wrongly")
	}
}

func TestHandlersErrorEndsTheGroup(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		err  error
		says string
	}{
		{"an error", broken, "/1: broken"},
		{"no error", nil, "/1 returned although the partition is still its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := startCluster(t).client(t)
			topic := newTopic(t, c, 2, nil)
			var mu sync.Mutex
			running := 0
			err := c.RunGroup(testContext(t), testGroup(topic), func(ctx context.Context, a Assignment) error {
				if a.Partition == 1 {
					return test.err
				}
				mu.Lock()
				running++
				mu.Unlock()
				<-ctx.Done()
				mu.Lock()
				running--
				mu.Unlock()
				return ctx.Err()
			})
			if err == nil || !strings.Contains(err.Error(), topic+test.says) || (test.err != nil && !errors.Is(err, test.err)) {
				t.Errorf("RunGroup says %v", err)
			}
			if running != 0 {
				t.Errorf("RunGroup returned before %d of its handlers", running)
			}
		})
	}
}

func TestCommittedOffsetComesBack(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 2, nil)
	for _, round := range []struct{ committed, commit int64 }{{-1, 5}, {5, 7}, {7, 0}, {0, 1}} {
		var seen sync.WaitGroup
		seen.Add(2)
		leave := join(t, c, testGroup(topic), func(ctx context.Context, a Assignment) error {
			if a.Committed != round.committed {
				t.Errorf("partition %d: committed is %d, want %d", a.Partition, a.Committed, round.committed)
			}
			if err := a.Commit(ctx, round.commit); err != nil {
				t.Error(err)
			}
			seen.Done()
			<-ctx.Done()
			return ctx.Err()
		})
		seen.Wait()
		if err := leave(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorWhileGivingUpIsNoFailure(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 2, nil)
	l := newLedger()
	late := func(ctx context.Context, a Assignment) error {
		l.handler("a")(ctx, a)
		return errors.New("too late to matter")
	}
	leave := join(t, cl.client(t), testGroup(topic), late)
	l.await(t, map[string]int{"a": 2})
	join(t, cl.client(t), testGroup(topic), l.handler("b"))
	l.await(t, map[string]int{"a": 1, "b": 1}) // a joined again
	if err := leave(); err != nil {
		t.Errorf("RunGroup says %v", err)
	}
}

// TestRebalanceUnderWayDoesNotHoldUpLeaving: two members, one of which had
// partitions and one of which never did, wait for a third one to give its own
// up, and no longer wait once they are to leave.
func TestRebalanceUnderWayDoesNotHoldUpLeaving(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 2, nil)
	cfg := testGroup(topic)
	cfg.RebalanceTimeout, cfg.SessionTimeout = 2*await.Limit, 2*await.Limit
	l := newLedger()
	old := join(t, cl.client(t), cfg, l.handler("old"))
	l.await(t, map[string]int{"old": 2})
	release, revoked := make(chan struct{}), make(chan struct{})
	join(t, cl.client(t), cfg, func(ctx context.Context, a Assignment) error {
		l.handler("slow")(ctx, a)
		close(revoked)
		<-release
		return ctx.Err()
	})
	l.await(t, map[string]int{"old": 1, "slow": 1})
	young := join(t, cl.client(t), cfg, l.handler("young"))
	<-revoked
	l.await(t, map[string]int{})
	start := time.Now()
	for _, leave := range []func() error{old, young} {
		if err := leave(); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(start); took > await.Limit {
		t.Errorf("two members that waited for partitions took %v to leave", took)
	}
	close(release)
}

// A member hears when it is in the group and when it is not.
func TestGroupSaysWhoIsAMember(t *testing.T) {
	cl := startCluster(t)
	topic := newTopic(t, cl.client(t), 1, nil)
	cfg := testGroup(topic)
	said := make(chan bool, 100)
	cfg.Joined = func(member bool) { said <- member }
	l := newLedger()
	leave := join(t, cl.client(t), cfg, l.handler("a"))
	l.await(t, map[string]int{"a": 1})
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	close(said)
	last, turns := false, 0
	for member := range said {
		if member == last {
			t.Errorf("reported %v twice", member)
		}
		last, turns = member, turns+1
	}
	if last || turns == 0 {
		t.Errorf("after leaving, member is %v, reported %d times", last, turns)
	}
}
