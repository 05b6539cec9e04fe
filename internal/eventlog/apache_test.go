package eventlog

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

// trial is a log on three brokers that is written all the time, and what was
// acknowledged of it.
type trial struct {
	t       *testing.T
	brokers *kraft.Cluster
	client  *Client
	topic   string

	mu    sync.Mutex
	acked map[int64]string // by offset
	next  int              // number of the next record
}

func newTrial(t *testing.T, brokers *kraft.Cluster) *trial {
	c := cluster{addrs: brokers.Brokers()}.client(t)
	topic := fmt.Sprintf("trial.%d", time.Now().UnixNano())
	err := createTopic(testContext(t), c, kafka.TopicConfig{
		Topic: topic, NumPartitions: 1, ReplicationFactor: 3,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "min.insync.replicas", ConfigValue: "2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &trial{t: t, brokers: brokers, client: c, topic: topic, acked: map[int64]string{}}
}

// write writes until stop is called, which waits until everything is
// acknowledged.
func (x *trial) write() (stop func()) {
	p := newProducer(x.t, x.client, ProducerConfig{Topic: x.topic})
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-end:
				tick.Stop()
				return
			case <-tick.C:
			}
			value := fmt.Sprint(x.next)
			x.next++
			err := p.Produce(0, Record{Value: []byte(value)}, func(offset int64, err error) {
				x.mu.Lock()
				defer x.mu.Unlock()
				if err != nil {
					x.t.Errorf("record %s: %v", value, err)
				}
				if old, taken := x.acked[offset]; taken {
					x.t.Errorf("offset %d was given to %s and to %s", offset, old, value)
				}
				x.acked[offset] = value
			})
			if err != nil {
				x.t.Errorf("record %s: %v", value, err)
			}
		}
	}()
	return func() {
		x.t.Helper()
		close(end)
		<-ended
		if err := p.Flush(patient(x.t)); err != nil {
			x.t.Fatal(err)
		}
	}
}

// patient is for what a busy machine with three brokers does.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (x *trial) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.acked)
}

// goesOn waits until more records are acknowledged.
func (x *trial) goesOn(what string) {
	x.t.Helper()
	began, start := x.count(), time.Now()
	for ctx := patient(x.t); x.count() < began+100; time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			x.t.Fatalf("%s: nothing more is acknowledged", what)
		}
	}
	x.t.Logf("%s: 100 more were acknowledged after %v", what, time.Since(start).Round(10*time.Millisecond))
}

// check compares the log with what was acknowledged: all of it, once, in order.
func (x *trial) check() {
	x.t.Helper()
	_, end, err := x.client.Offsets(patient(x.t), x.topic, 0)
	if err != nil {
		x.t.Fatal(err)
	}
	n := 0
	err = x.client.ReadRange(patient(x.t), x.topic, 0, 0, end, 0, func(r Record) error {
		if want := fmt.Sprint(n); string(r.Value) != want {
			return fmt.Errorf("offset %d holds record %s, want %s", r.Offset, r.Value, want)
		}
		if x.acked[r.Offset] != string(r.Value) {
			return fmt.Errorf("record %s is at %d, which was acknowledged as %q", r.Value, r.Offset, x.acked[r.Offset])
		}
		n++
		return nil
	})
	if err != nil || n != len(x.acked) || n != x.next {
		x.t.Errorf("%d written, %d acknowledged, %d in the log: %v", x.next, len(x.acked), n, err)
	}
}

// leader is the broker that leads the partition, and inSync how many have it.
func (x *trial) leader() (leader *kraft.Node, inSync int) {
	x.t.Helper()
	for ctx := patient(x.t); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		res, err := x.client.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{x.topic}})
		if err != nil || len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
			continue
		}
		p := res.Topics[0].Partitions[0]
		for _, n := range x.brokers.Nodes {
			if n.ID == p.Leader.ID {
				return n, len(p.Isr)
			}
		}
	}
	x.t.Fatal("nobody leads the partition")
	return nil, 0
}

func (x *trial) awaitInSync(n int) {
	x.t.Helper()
	for ctx := patient(x.t); ; time.Sleep(50 * time.Millisecond) {
		layout := x.client.layout.Load()
		x.client.forgetLayout(layout)
		if _, have := x.leader(); have == n {
			return
		}
		if ctx.Err() != nil {
			x.t.Fatalf("there are never %d replicas in sync", n)
		}
	}
}

func (x *trial) restart(n *kraft.Node) {
	x.t.Helper()
	if err := x.brokers.Restart(patient(x.t), n); err != nil {
		x.t.Fatal(err)
	}
}

// What was acknowledged is in the log once and in order, whatever happens to
// the brokers that keep it, and writing continues by itself.
func TestBrokersFailUnderLoad(t *testing.T) {
	brokers := krafttest.Start(t, kraft.Config{Nodes: 3})
	for _, c := range []struct {
		name string
		harm func(*trial)
	}{
		{"leader moves", (*trial).moveLeader},
		{"leader killed", (*trial).killLeader},
		{"leader stopped", (*trial).stopLeader},
		{"leader paused", (*trial).pauseLeader},
		{"too few in sync", (*trial).starve},
		{"machine lost", (*trial).loseMachine},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newTrial(t, brokers)
			stop := x.write()
			x.goesOn("at first")
			c.harm(x)
			stop()
			x.check()
		})
	}
}

func (x *trial) moveLeader() {
	before, _ := x.leader()
	for range 3 {
		if err := kraft.MoveLeaders(patient(x.t), x.brokers.Brokers()); err != nil {
			x.t.Fatal(err)
		}
		x.goesOn("leader moved")
	}
	x.t.Logf("node %d led at first", before.ID)
}

func (x *trial) killLeader() {
	n, _ := x.leader()
	n.Kill()
	x.goesOn("leader killed")
	x.restart(n)
	x.awaitInSync(3)
	x.goesOn("leader back")
}

func (x *trial) stopLeader() {
	n, _ := x.leader()
	if err := n.Stop(patient(x.t)); err != nil {
		x.t.Fatal(err)
	}
	x.goesOn("leader stopped")
	x.restart(n)
	x.awaitInSync(3)
}

func (x *trial) pauseLeader() {
	n, _ := x.leader()
	if err := n.Pause(); err != nil {
		x.t.Fatal(err)
	}
	x.goesOn("leader asleep")
	if err := n.Resume(); err != nil {
		x.t.Fatal(err)
	}
	x.awaitInSync(3)
	x.goesOn("leader awake")
}

// starve asks for three replicas in sync and takes one away: [19], and not a
// record more is acknowledged until it is back.
func (x *trial) starve() {
	res, err := x.client.kafka.IncrementalAlterConfigs(patient(x.t), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: x.topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "min.insync.replicas", Value: "3", ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err != nil || res.Resources[0].Error != nil {
		x.t.Fatal(err, res)
	}
	leader, _ := x.leader()
	follower := x.brokers.Nodes[leader.ID%3]
	follower.Kill()
	x.awaitInSync(2)
	before := x.count()
	time.Sleep(2 * time.Second) // in which nothing happens
	if after := x.count(); after > before+1 {
		x.t.Errorf("%d records were acknowledged by too few replicas", after-before)
	}
	x.restart(follower)
	x.goesOn("enough in sync again")
}

// loseMachine takes a broker away with everything it kept, the one that leads,
// and gives the cluster an empty one in its place.
func (x *trial) loseMachine() {
	n, _ := x.leader()
	n.Kill()
	if err := n.Lose(); err != nil {
		x.t.Fatal(err)
	}
	x.goesOn("machine lost")
	x.restart(n)
	x.awaitInSync(3)
	// The new one has everything: it is enough with one of the others.
	other := x.brokers.Nodes[n.ID%3]
	other.Kill()
	x.goesOn("another one lost")
	x.restart(other)
	x.awaitInSync(3)
}
