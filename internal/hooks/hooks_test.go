package hooks

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// Users come with their first session and go with their last, also where their
// connector dies; what is void is not sent.
func TestWhoComesAndGoes(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	r.append(1, join("c", "s1", "ann"))
	r.append(1, join("c", "s2", "ann"))
	r.append(1, join("c", "s3", "bob"))
	r.append(1, chat("c", "ann", "hi"))
	repeated := chat("c", "ann", "hi")
	r.append(1, repeated)
	r.append(1, leave("c", "s1", "ann"))
	r.append(1, &schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "k", Reason: schema.Reason_REASON_TIMEOUT}}})
	r.start(p.URL)
	r.gets(p, 1, "occupied c", "join c ann", "join c bob", "chat c ann hi", "leave c ann timeout", "leave c bob timeout", "vacated c")
}

// A stopped name goes on where it was, with the members it knew.
func TestGoesOnWhereItWas(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	r.append(0, join("c", "s1", "ann"))
	_, stop := r.start(p.URL)
	r.gets(p, 0, "occupied c", "join c ann")
	stop()
	r.append(0, join("c", "s2", "ann"))
	r.append(0, leave("c", "s1", "ann"))
	r.append(0, leave("c", "s2", "ann"))
	r.start(p.URL, func(c *Config) { c.From = From{} }) // counts for new names alone
	r.gets(p, 0, "occupied c", "join c ann", "leave c ann leave", "vacated c")
	if _, repeats := p.again(); repeats > 0 {
		t.Errorf("%d events were sent twice after a stop in order", repeats)
	}
}

// What is on its way to the receiver at a stop is not sent again.
func TestStopAwaitsAnAnswer(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	taken, stopping := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(taken) })
	p.before = func(http.ResponseWriter, message) bool {
		begin()
		<-stopping
		time.Sleep(100 * time.Millisecond) // for the stop to get as far as it can
		return false
	}
	r.append(0, join("c", "s1", "ann"))
	_, stop := r.start(p.URL)
	<-taken
	close(stopping)
	stop()
	r.append(0, leave("c", "s1", "ann"))
	r.start(p.URL)
	r.gets(p, 0, "occupied c", "join c ann", "leave c ann leave", "vacated c")
	if _, repeats := p.again(); repeats > 0 {
		t.Errorf("%d events were sent twice", repeats)
	}
}

// A new name begins where it is told to, and remembers that, with the members that
// came before.
func TestNewNames(t *testing.T) {
	r := newRig(t)
	r.append(0, join("c", "s1", "ann"))
	r.append(0, chat("c", "ann", "early"))
	time.Sleep(5 * time.Millisecond)
	middle := time.Now().Truncate(time.Millisecond)
	time.Sleep(5 * time.Millisecond)
	r.append(0, chat("c", "ann", "late"))

	beginning, end, at := newProgram(t, false), newProgram(t, false), newProgram(t, false)
	r.start(beginning.URL, named("beginning"))
	fromEnd := func(c *Config) { c.From = From{} }
	h, stop := r.start(end.URL, named("end"), fromEnd)
	await.That(t, "all partitions are served", func() bool { return h.serving.Load() == partitions })
	stop()
	r.append(0, leave("c", "s1", "ann"))
	r.start(end.URL, named("end"), fromEnd)
	r.start(at.URL, named("at"), func(c *Config) { c.From = From{time: middle} })

	r.gets(beginning, 0, "occupied c", "join c ann", "chat c ann early", "chat c ann late", "leave c ann leave", "vacated c")
	r.gets(end, 0, "leave c ann leave", "vacated c")
	r.gets(at, 0, "chat c ann late", "leave c ann leave", "vacated c")
}

// One name's receiver that takes nothing is nothing to another name.
func TestNamesAreApart(t *testing.T) {
	r, deaf, p := newRig(t), newProgram(t, false), newProgram(t, false)
	deaf.before = func(w http.ResponseWriter, _ message) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	h, _ := r.start(deaf.URL, named("deaf"))
	r.start(p.URL, named("other"))
	r.append(2, chat("c", "ann", "hi"))
	r.gets(p, 2, "chat c ann hi")
	await.That(t, "trouble is known", func() bool { _, _, n := h.troubles.worst(); return n == 1 })
	if deaf.count() > 0 {
		t.Error("a receiver that took nothing has something")
	}
}

// A partition whose events are not taken holds up no other one.
func TestPartitionsAreApart(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	var open atomic.Bool
	p.before = func(w http.ResponseWriter, m message) bool {
		if m.Partition == 0 && !open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	r.start(p.URL)
	r.append(0, chat("c", "ann", "first"))
	r.append(1, chat("d", "ann", "second"))
	r.gets(p, 1, "chat d ann second")
	open.Store(true)
	r.gets(p, 0, "chat c ann first")
}

// A name whose newest checkpoint is of an earlier epoch goes on at the beginning of
// this one.
func TestNewEpoch(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	producer := r.client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicHooks})
	defer func() { _ = producer.Close() }()
	for _, old := range []struct {
		key   string
		value proto.Message
	}{
		{schema.HooksKeyFrom, &schema.HooksFrom{Next: 900, Epoch: "old"}},
		{schema.StateKeyMember("s9", "c"), &schema.StateMember{Channel: "c", Session: "s9", User: "ghost", Connector: "k", Offset: 1}},
		{schema.StateKeyMarker, &schema.StateMarker{Next: 900, Epoch: "old", Format: 1}},
	} {
		value, err := proto.Marshal(old.value)
		if err != nil {
			t.Fatal(err)
		}
		if err := producer.Produce(0, eventlog.Record{Key: []byte(schema.HooksKey(DefaultName, old.key)), Value: value}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Flush(r.ctx()); err != nil {
		t.Fatal(err)
	}
	r.append(0, join("c", "s1", "ann"))
	_, stop := r.start(p.URL, func(c *Config) { c.From = From{} })
	r.gets(p, 0, "occupied c", "join c ann")
	stop()
	r.append(0, leave("c", "s1", "ann"))
	r.start(p.URL)
	r.gets(p, 0, "occupied c", "join c ann", "leave c ann leave", "vacated c")
}

// Everything arrives in order, while the receiver fails, hangs and restarts, and the
// processes that send are stopped, killed and joined by others.
func TestInOrderThroughFaults(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	p.before = func(w http.ResponseWriter, m message) bool {
		switch n := rand.IntN(12); {
		case n == 0:
			w.WriteHeader(http.StatusBadGateway)
			return true
		case n == 1:
			panic(http.ErrAbortHandler) // the connection is cut
		case n == 2:
			p.take(&m) // it has them, and its answer is lost
			panic(http.ErrAbortHandler)
		}
		return false
	}
	const each = 2000
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range each {
			for part := range partitions {
				r.produce(part, chat(fmt.Sprintf("c%d", part), "ann", fmt.Sprintf("m%d", i)), nil)
			}
			if i%100 == 0 {
				_ = r.events.Flush(r.ctx())
				time.Sleep(10 * time.Millisecond)
			}
		}
		_ = r.events.Flush(r.ctx())
	}()
	_, stop := r.start(p.URL)
	await.That(t, "something arrives", func() bool { return p.count() > 0 })
	killed := r.process(p.URL)
	await.That(t, "more arrives", func() bool { return p.count() > 1000 })
	stop()
	killed()
	<-written
	r.start(p.URL)
	await.That(t, "everything arrives", func() bool { return p.count() >= each*partitions })
	for part := range partitions {
		for i, line := range p.lines(part) {
			if want := fmt.Sprintf("chat c%d ann m%d", part, i); line != want {
				t.Fatalf("partition %d has %q in place of %q", part, line, want)
			}
		}
	}
	messages, repeats := p.again()
	t.Logf("%d messages, %d events came again", messages, repeats)
}

// process runs hooks in a process, which kill kills.
func (r *rig) process(url string) (kill func()) {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), processBroker+"="+r.addr, processURL+"="+url)
	if testing.Verbose() {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
