package chatworker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema"
)

// process starts a worker in a process of its own, for faults that one cannot
// do to oneself.
func (r *rig) process() *os.Process {
	r.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerProcess+"="+r.addr)
	out := &testOutput{t: r.t, r: r}
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cmd.Process.Kill() // it may be dead already
		cmd.Wait()
		out.end()
	})
	return cmd.Process
}

// speaker sends one numbered message after the other, in turns in each
// partition.
type speaker struct {
	*rig
	said int
}

func newSpeaker(r *rig) *speaker {
	for i, c := range channels {
		r.join("a", c, fmt.Sprint("s", i), "ann")
	}
	return &speaker{rig: r}
}

// say continues up to a number and waits until every message was taken.
func (s *speaker) say(to int) {
	s.t.Helper()
	for ; s.said < to; s.said++ {
		s.chat("a", channels[s.said%partitions], "ann", fmt.Sprint(s.said))
	}
	await.That(s.t, "every chat was taken", func() bool {
		ids, _ := s.chats("a")
		return len(ids) == to
	})
}

// A worker is killed with pushes sent and not checkpointed: the next one
// repeats some and loses none.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.process()
	s := newSpeaker(r)
	s.say(200)
	await.That(t, "a checkpoint is there", func() bool { return r.state(schema.TopicState, 0)[schema.StateKeyMarker] != nil })
	s.say(300)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	_, stop := r.start()
	s.say(400)
	if _, repeats := r.chats("a"); repeats >= 300 {
		t.Errorf("%d repeats, although there was a checkpoint", repeats)
	}
	stop()
	r.checkCheckpoints()
}

// A worker sleeps for so long that another takes its partitions, and wakes up
// with pushes and state to write.
func TestSleepingWorker(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.process()
	s := newSpeaker(r)
	s.say(100)
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	first, stop := r.start()
	s.say(200)
	await.That(t, "the other worker serves all", func() bool { return first.Stats().Partitions == partitions })
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// It finds out, and joins the group again.
	await.That(t, "both serve partitions", func() bool { n := first.Stats().Partitions; return n > 0 && n < partitions })
	s.say(300)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the other worker serves all again", func() bool { return first.Stats().Partitions == partitions })
	s.say(400)
	stop()
	r.checkCheckpoints()
}

// checkCheckpoints compares the state with the fold of the log.
func (r *rig) checkCheckpoints() {
	r.t.Helper()
	for p := range partitions {
		f := fold.New(fold.Log{Partition: int32(p), Epoch: r.log.Epoch, TopicID: r.log.TopicID, Window: r.log.Window})
		for _, rec := range r.read(schema.TopicEvents, p) {
			e, err := schema.DecodeEvent(rec.Value)
			if err == nil {
				_, err = f.Apply(rec.Offset, e)
			}
			if err != nil {
				r.t.Fatal(err)
			}
		}
		want, err := f.Flush(0)
		if err != nil {
			r.t.Fatal(err)
		}
		got := r.state(schema.TopicState, p)
		for _, rec := range want[:len(want)-1] { // the marker has a time
			if string(got[rec.Key]) != string(rec.Value) {
				r.t.Errorf("partition %d has %q for %q, want %q", p, got[rec.Key], rec.Key, rec.Value)
			}
		}
		if len(got) != len(want)+1 { // the claim
			r.t.Errorf("partition %d has %d keys, want %d", p, len(got), len(want)+1)
		}
	}
}

// While the broker is away there are neither beats nor ticks: whoever beats
// before and after was never silent. Messages wait and arrive.
func TestBrokerOutageKillsNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listen := freeport.AddressFor(t) // one that the kernel chose may be another's meanwhile
	start := func() *embedded.Broker {
		ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
		defer cancel()
		b, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: listen, DataDir: dir, Open: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	stop := func(b *embedded.Broker) {
		ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	}
	broker := start()
	t.Cleanup(func() { stop(broker) })
	r := newRigAt(t, listen)
	// Ticks that leave a beat the time to be tried again.
	const tick = 250 * time.Millisecond
	w, _ := r.start(func(w *Worker) { w.timing.tick = tick })
	r.keepBeating("a")
	s := newSpeaker(r)
	s.say(10)

	stop(broker)
	time.Sleep(12 * tick) // the outage itself
	broker = start()
	s.say(20)
	claim := w.control.newestClaim()
	before := r.ticks(claim)
	await.That(t, "time goes on", func() bool { return r.ticks(w.control.newestClaim()) >= before+4 })
	for p := range partitions {
		if down := r.downs(p); len(down) != 0 {
			t.Errorf("partition %d has downs %v", p, down)
		}
	}
}

// What compaction leaves of the state and of the leases is enough.
func TestCompaction(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	r := newRigAt(t, broker.ListenAddrs()[0])
	s := (*speaker)(nil)
	for round := range 4 {
		_, stop := r.start(fastTicks)
		if round == 0 {
			r.keepBeating("a")
			s = newSpeaker(r)
		}
		s.say(20 * (round + 1))
		stop()
		before := len(r.read(schema.TopicState, 0))
		broker.Compact()
		if after := len(r.read(schema.TopicState, 0)); round > 0 && after >= before {
			t.Fatalf("compaction left %d records of %d", after, before)
		}
		r.checkCheckpoints()
	}
	if _, repeats := r.chats("a"); repeats != 0 {
		t.Errorf("%d repeats, although every worker left in order", repeats)
	}
}

// ticks counts the ticks of a claim.
func (r *rig) ticks(claim int64) (n int) {
	r.t.Helper()
	for _, rec := range r.read(schema.TopicControl, 0) {
		var tick schema.Tick
		if string(rec.Key) == schema.ControlKeyTick && proto.Unmarshal(rec.Value, &tick) == nil && tick.Claim == claim {
			n++
		}
	}
	return n
}
