package chatworker

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/signals"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// signal tells the others in a channel something, as a connector would.
func (r *rig) signal(p *eventlog.Producer, channel, user, name string) {
	s := &schema.Signal{Channel: channel, User: user, Name: name, Time: 1}
	r.writeMessage(p, schema.PartitionOf(channel, partitions), channel, s)
}

// signaled are the signals that were passed on, with how often, by connector.
func (r *rig) signaled() map[string]map[string]int {
	all := map[string]map[string]int{}
	for p := range partitions {
		for _, rec := range r.read(schema.TopicSignalPush, p) {
			s, err := schema.DecodeSignal(rec.Value)
			if err != nil {
				r.t.Fatal(err)
			}
			of := all[string(rec.Key)]
			if of == nil {
				of = map[string]int{}
				all[string(rec.Key)] = of
			}
			of[s.Channel+" "+s.User+" "+s.Name]++
		}
	}
	return all
}

// A signal goes to the connectors with members of its channel, if its user is one, and
// to these of the users' place when it was read alone.
func TestSignalsFollowMembership(t *testing.T) {
	r := newRig(t)
	p := r.producer(eventlog.ProducerConfig{Topic: schema.TopicSignals})
	r.signal(p, "c", "ann", "too early")
	r.start()
	r.join("a", "c", "s1", "ann")
	r.join("b", "c", "s2", "bob")
	r.join("b", "d", "s3", "bob")
	r.chat("a", "c", "ann", "1")
	r.awaitChat("a", "1")
	r.chat("b", "d", "bob", "2")
	r.awaitChat("b", "2")
	n := 0
	for _, channel := range []string{"c", "d"} { // whose partitions are read each for itself
		await.That(t, "signals of "+channel+" are passed on", func() bool {
			n++
			r.signal(p, channel, "bob", fmt.Sprint("probe", n))
			return slices.ContainsFunc(slices.Collect(maps.Keys(r.signaled()["b"])), func(s string) bool { return s[:1] == channel })
		})
	}
	r.signal(p, "d", "ann", "stranger")
	r.signal(p, "c", "ann", "typing")
	r.signal(p, "d", "bob", "typing")
	r.write(p, 0, "x", []byte("corrupt"))
	await.That(t, "all are passed on", func() bool {
		all := r.signaled()
		return all["a"]["c ann typing"] == 1 && all["b"]["c ann typing"] == 1 && all["b"]["d bob typing"] == 1
	})
	all := r.signaled()
	for connector, of := range all {
		for s := range of {
			if s == "d ann stranger" || s == "c ann too early" || connector == "a" && s[:1] == "d" {
				t.Errorf("%s got %q", connector, s)
			}
		}
	}
	if len(all) != 2 {
		t.Errorf("%d connectors got signals", len(all))
	}
}

// Pushes come first: where they have filled half of their queue, signals are dropped.
func TestSignalsMakeRoomForPushes(t *testing.T) {
	r := newRig(t)
	w := r.openWorker(func(*Worker) {})
	f := newForwarder(w)
	w.queued.Store(pushBudget/2 + 1)
	f.take(r.ctx(), []eventlog.Record{{Value: []byte("x")}}) // which nobody would address
	w.queued.Store(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.take(r.ctx(), []eventlog.Record{{Value: []byte("x")}})
	}()
	b := <-f.asks
	close(b.done)
	<-done
}

// While a broker does not answer, signals that have no room are dropped, and nobody
// waits.
//
//parley:bound signals that are not acknowledged
func TestSignalsThatWaitAreBounded(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	client, err := eventlog.New(eventlog.Config{Brokers: []string{silent.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	pushes := client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicSignalPush, MaxBytes: signalQueue, Fleeting: true})
	t.Cleanup(func() { pushes.Close() })
	f := newForwarder(&Worker{signalPushes: pushes, metrics: newMetrics(nil)})
	const size, sent = 1200, 4 * signalQueue / 1200
	value := make([]byte, size)
	before := inuse.SettledHeap()
	for range sent {
		f.send(fold.Receiver{Connector: "a"}, value)
	}
	_, waiting := pushes.Unacked()
	if bytes := waiting * size; bytes > signalQueue || bytes < signalQueue*9/10 {
		t.Errorf("%d of %d signals wait", waiting, sent)
	}
	if heap := inuse.SettledHeap() - before; heap > signalQueue*3/2 {
		t.Errorf("%d signals take %d bytes of memory", waiting, heap)
	}
}

// BenchmarkAddressing is what a signal takes of its partition's loop, for which chats
// wait.
func BenchmarkAddressing(b *testing.B) {
	f := fold.New(fold.Log{Window: schema.Window})
	for i := range 1000 {
		for k := range 10 {
			join := &schema.Event{Connector: fmt.Sprint("connector", k%3), Counter: uint64(i*10 + k + 1), Kind: &schema.Event_Join{Join: &schema.Join{
				Channel: fmt.Sprint("c", i), User: fmt.Sprint("user", k), Session: fmt.Sprint("s", i, "-", k),
			}}}
			if _, err := f.Apply(int64(i*10+k+1), join); err != nil {
				b.Fatal(err)
			}
		}
	}
	p, some := &partition{fold: f}, &addressed{}
	for i := range 100 {
		some.signals = append(some.signals, signals.Sent{Signal: &schema.Signal{Channel: fmt.Sprint("c", i*7), User: "user1"}})
	}
	b.ReportAllocs()
	for b.Loop() {
		some.receivers, some.done = some.receivers[:0], make(chan struct{})
		p.address(some)
	}
	if len(some.receivers[0]) != 3 {
		b.Fatalf("a signal has receivers %v", some.receivers[0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(some.signals)), "ns/signal")
}
