package chatworker

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// newFakeRig is a rig at a broker that the test reaches into.
func newFakeRig(t *testing.T, opts ...kfake.Opt) (*rig, *kfake.Cluster) {
	t.Helper()
	fake, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return newRigAt(t, fake.ListenAddrs()[0]), fake
}

// unwritable makes a partition of the events one that lacks replicas, until
// heal is called.
func (r *rig) unwritable(fake *kfake.Cluster, partition int32) (heal func()) {
	fault := fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: schema.TopicEvents, Partitions: []int32{partition},
		Err: kerr.NotEnoughReplicas, Count: -1,
	})
	r.t.Cleanup(fault.Remove)
	return fault.Remove
}

func (r *rig) awaitDown(connector string, partition int) {
	r.t.Helper()
	await.That(r.t, connector+" is declared down", func() bool {
		_, down := r.downs(partition)[connector]
		return down
	})
}

// While a partition of the events cannot be written, connectors that die are
// declared down in the others, each after its own lease. The partition gets its
// downs when it heals.
func TestAnUnwritablePartitionHoldsUpNoOtherDown(t *testing.T) {
	r, fake := newFakeRig(t)
	heal := r.unwritable(fake, 1)
	r.beat("first", false)
	r.start(fastTicks)
	r.awaitDown("first", 0)
	for _, later := range []string{"second", "third"} {
		r.beat(later, false)
		r.awaitDown(later, 0)
		r.awaitDown(later, 2)
	}
	if downs := r.downs(1); len(downs) > 0 {
		t.Errorf("the partition that cannot be written has %v", downs)
	}
	state := r.state(schema.TopicControl, 0)
	heal()
	for _, connector := range []string{"first", "second", "third"} {
		if state[schema.ControlKeyBeat(connector)] == nil {
			t.Errorf("the beat of %s was removed before it was down everywhere", connector)
		}
		r.awaitDown(connector, 1)
		await.That(t, "the beat of "+connector+" is removed", func() bool {
			return r.state(schema.TopicControl, 0)[schema.ControlKeyBeat(connector)] == nil
		})
	}
}

// Orphans in a partition that cannot be written hold up neither the reading of
// parley.control nor orphans elsewhere, and their downs do not pile up.
func TestOrphansInAnUnwritablePartitionHoldUpNothing(t *testing.T) {
	r, fake := newFakeRig(t)
	r.join("orphan", channels[1], "s1", "ann")
	r.join("stray", channels[2], "s2", "bob")
	heal := r.unwritable(fake, 1)
	r.start(fastTicks)
	r.awaitDown("stray", 2)
	r.beat("silent", false)
	r.awaitDown("silent", 0)
	time.Sleep(2 * schema.LeaseTicks * 100 * time.Millisecond) // in which it would become due again
	heal()
	r.awaitDown("orphan", 1)
	n := 0
	for _, rec := range r.read(schema.TopicEvents, 1) {
		if e, err := schema.DecodeEvent(rec.Value); err == nil && e.GetDown().GetConnector() == "orphan" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the orphan was declared down %d times", n)
	}
}

// damaged spoils on the way what holds a mark, as a damaged disk would.
type damaged struct{ net.Listener }

type damagedConn struct{ net.Conn }

var (
	mark    = []byte("to be damaged")
	spoiled = []byte("to be Damaged")
)

func (l damaged) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return damagedConn{c}, err
}

func (c damagedConn) Write(b []byte) (int, error) {
	return c.Conn.Write(bytes.ReplaceAll(b, mark, spoiled))
}

// A corrupt record at the end of parley.control is skipped like any other: nobody
// waits for a record after it, and whoever starts can read on.
func TestCorruptEndOfControl(t *testing.T) {
	r, _ := newFakeRig(t, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return damaged{l}, err
	}))
	at := r.write(r.beats, 0, "spoiled", mark)
	err := r.client.ReadRange(r.ctx(), schema.TopicControl, 0, at, at+1, 0, func(eventlog.Record) error { return nil })
	if corrupt := new(eventlog.CorruptError); !errors.As(err, &corrupt) {
		t.Fatalf("the record is not corrupt: %v", err)
	}
	w, _ := r.start(fastTicks)
	await.That(t, "a worker is ready and keeps the leases", func() bool { return w.Health(r.ctx()).Ready() && w.keeping.Load() })
}
