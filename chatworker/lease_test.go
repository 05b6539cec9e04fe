package chatworker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// fastTicks makes a lease last 8 × 100 ms.
func fastTicks(w *Worker) { w.timing.tick = 100 * time.Millisecond }

// keepBeating beats for a connector until the test ends.
func (r *rig) keepBeating(connector string) {
	r.beat(connector, false)
	ctx, stop := context.WithCancel(context.Background())
	var beating sync.WaitGroup
	beating.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				e, err := newEntry(0, schema.ControlKeyBeat(connector), &schema.Beat{Time: 1})
				if err == nil {
					_, err = appendAll(ctx, r.beats, e)
				}
				if err != nil && ctx.Err() == nil {
					r.t.Errorf("beat: %v", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	r.t.Cleanup(func() {
		stop()
		beating.Wait()
	})
}

func TestSilentConnectorIsDeclaredDown(t *testing.T) {
	r := newRig(t)
	r.keepBeating("alive")
	r.beat("silent", false)
	r.beat("leaving", true)
	r.join("alive", channels[0], "s1", "ann")
	r.join("silent", channels[0], "s2", "bob")
	r.start(fastTicks)

	want := map[string]schema.Reason{
		"silent": schema.Reason_REASON_TIMEOUT, "leaving": schema.Reason_REASON_DISCONNECT,
	}
	await.That(t, "both are gone from parley.control", func() bool {
		state := r.state(schema.TopicControl, 0)
		return state[schema.ControlKeyBeat("silent")] == nil && state[schema.ControlKeyBeat("leaving")] == nil
	})
	for p := range partitions {
		found := r.downs(p)
		if len(found) != len(want) || found["silent"] != want["silent"] || found["leaving"] != want["leaving"] {
			t.Errorf("partition %d has downs %v, want %v", p, found, want)
		}
	}
	await.That(t, "the other gets a push", func() bool {
		pushes, _ := r.taken("alive")
		if len(pushes) == 0 {
			return false // not even its own join
		}
		users := pushes[len(pushes)-1].Updates[0].GetDeparted().GetUsers()
		return len(users) == 1 && users[0] == "bob"
	})
	if r.state(schema.TopicControl, 0)[schema.ControlKeyBeat("alive")] == nil {
		t.Error("the connector that beats is gone from parley.control")
	}
	if warned, noted := r.logs("level=WARN", "[silent]"), r.logs("level=INFO", "[leaving]"); len(warned) != 1 || len(noted) != 1 {
		t.Errorf("logged of the one that crashed %q, of the one that drained %q", warned, noted)
	}
}

// A connector that never beat holds members: its down was missed.
func TestOrphansAreDeclaredDown(t *testing.T) {
	r := newRig(t)
	r.keepBeating("alive")
	r.join("alive", channels[1], "s1", "ann")
	r.join("orphan", channels[1], "s2", "bob")
	r.start(fastTicks)
	await.That(t, "the orphan is declared down", func() bool {
		_, down := r.downs(1)["orphan"]
		return down
	})
	if len(r.logs("level=WARN", "orphan")) == 0 {
		t.Error("the orphan is not in a warning")
	}
	for p := range partitions {
		if _, down := r.downs(p)["orphan"]; down != (p == 1) {
			t.Errorf("partition %d: down is %v", p, down)
		}
		if _, down := r.downs(p)["alive"]; down {
			t.Errorf("partition %d: the connector that beats was declared down", p)
		}
	}
}

// The ticks of an owner whose claim is not the newest do not count, and it
// declares nobody down.
func TestNewerClaimTakesTheLeases(t *testing.T) {
	r := newRig(t)
	w, _ := r.run(fastTicks)
	await.That(t, "the worker claims", func() bool { return w.control.newestClaim() >= 0 })
	// The claim of another owner, from outside of the group, so that the worker
	// continues; a producer without the name does not fence it.
	other := r.producer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	r.writeMessage(other, 0, schema.ControlKeyClaim, &schema.ControlClaim{Worker: "other"})
	r.beat("silent", false)
	ticks := func() (n int) {
		for _, rec := range r.read(schema.TopicControl, 0) {
			if string(rec.Key) == schema.ControlKeyTick {
				n++
			}
		}
		return n
	}
	before := ticks()
	await.That(t, "more than enough ticks", func() bool { return ticks() > before+12 })
	if down := r.downs(0); len(down) != 0 {
		t.Errorf("the owner before declared %v down", down)
	}
}

// An owner keeps its claim when it gets the partition again, and needs a new
// one when it was another's meanwhile.
func TestClaimOutlivesRebalance(t *testing.T) {
	r := newRig(t)
	a, b := r.openWorker(fastTicks), r.openWorker(fastTicks)
	// own has a worker own the partition until it ticked, and returns its claim.
	own := func(w *Worker) int64 {
		ctx, cancel := context.WithCancel(r.ctx())
		ended := make(chan error, 1)
		go func() { ended <- w.keeper.serve(ctx) }()
		end := len(r.read(schema.TopicControl, 0))
		await.That(t, "the owner ticks", func() bool {
			records := r.read(schema.TopicControl, 0)
			return len(records) > end && string(records[len(records)-1].Key) == schema.ControlKeyTick
		})
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the owner ended with %v", err)
		}
		return w.keeper.claim
	}
	first := own(a)
	if again := own(a); again != first {
		t.Errorf("claim %d when it got the partition again, want %d", again, first)
	}
	second := own(b)
	if third := own(a); second <= first || third <= second {
		t.Errorf("claims %d, %d and %d of a, b and a", first, second, third)
	}
}

// openWorker returns a worker that follows parley.control and is in no group.
func (r *rig) openWorker(change func(*Worker)) *Worker {
	r.t.Helper()
	w, err := New(Config{Base: roles.Base{Kafka: eventlog.Config{Brokers: []string{r.addr}}, Logger: r.logger()}})
	if err != nil {
		r.t.Fatal(err)
	}
	change(w)
	ctx, cancel := context.WithCancel(r.ctx())
	if err := w.open(ctx); err != nil {
		r.t.Fatal(err)
	}
	var following sync.WaitGroup
	following.Go(func() {
		if err := w.control.run(ctx); ctx.Err() == nil {
			r.t.Errorf("following parley.control ended with %v", err)
		}
	})
	r.t.Cleanup(func() {
		cancel()
		following.Wait()
		w.close()
		w.client.Close()
	})
	return w
}
