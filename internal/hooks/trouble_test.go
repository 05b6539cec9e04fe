package hooks

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// refuses makes a program answer a status to what holds a body.
func refuses(p *program, body string, status int) (asked *atomic.Int64) {
	asked = new(atomic.Int64)
	p.before = func(w http.ResponseWriter, m message) bool {
		for _, e := range m.Events {
			if e.Body == body {
				asked.Add(1)
				w.WriteHeader(status)
				return true
			}
		}
		return false
	}
	return asked
}

// What waits is left out when an operator says so, up to that seq, and not sent again.
func TestSkipByHand(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := refuses(p, "poison", http.StatusInternalServerError)
	seq := r.append(0, chat("c", "ann", "poison"))
	h, stop := r.start(p.URL)
	await.That(t, "it is refused", func() bool { return asked.Load() > 1 })
	r.append(0, chat("c", "ann", "after"))
	if err := Skip(r.ctx(), r.client, r.log, DefaultName, 0, seq+1); err != nil {
		t.Fatal(err)
	}
	r.gets(p, 0, "chat c ann after")
	await.That(t, "there is no trouble any more", func() bool { _, _, n := h.troubles.worst(); return n == 0 })
	stop()
	r.append(0, chat("c", "ann", "later"))
	r.start(p.URL)
	r.gets(p, 0, "chat c ann after", "chat c ann later")
}

// Where part of a batch is to be left out, the rest of it is sent.
func TestSkipPartOfABatch(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := refuses(p, "poison", http.StatusInternalServerError)
	r.append(0, chat("c", "ann", "before"))
	seq := r.append(0, chat("c", "ann", "poison"))
	r.append(0, chat("c", "ann", "after"))
	r.start(p.URL)
	await.That(t, "it is refused", func() bool { return asked.Load() > 1 })
	if err := Skip(r.ctx(), r.client, r.log, DefaultName, 0, seq+1); err != nil {
		t.Fatal(err)
	}
	r.gets(p, 0, "chat c ann after")
}

// What cannot be left out is refused, and says why.
func TestBadSkips(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	bad := func(name string, below int64) string {
		if err := Skip(r.ctx(), r.client, r.log, name, 0, below); err != nil {
			return err.Error()
		}
		return ""
	}
	seq := r.append(0, chat("c", "ann", "hi"))
	if got, want := bad("shpo", seq+1), "there are no hooks named shpo: `parley hooks` has not begun with partition 0 under any name"; got != want {
		t.Errorf("before any hooks have begun it says %q, want %q", got, want)
	}
	r.start(p.URL)
	r.start(p.URL, named("shop"))
	want := "there are no hooks named shpo: the names are default, shop"
	await.That(t, "both names have begun", func() bool { return bad("shpo", seq+1) == want })
	_, stop := r.start(p.URL, named("audit"))
	want = "there are no hooks named shpo: the names are audit, default, shop"
	await.That(t, "the third one, too", func() bool { return bad("shpo", seq+1) == want })
	stop() // it is there, and does not run
	if got := bad("audit", seq+1) + bad("shop", seq+1); got != "" {
		t.Error(got)
	}
	if got := bad("shpo", seq+1); got != want {
		t.Errorf("after they were skipped it says %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		name      string
		partition int
		below     int64
		says      string
	}{
		"a partition that is not there": {DefaultName, partitions, 1, "there is no partition 3"},
		"a seq that is not there":       {DefaultName, 0, 900, "seq 899 is not in partition 0"},
		"a name with a slash":           {"a/b", 0, 1, "letters, digits"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Skip(r.ctx(), r.client, r.log, c.name, c.partition, c.below); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// With a time to give up, what was refused for so long is left out, and the rest goes on.
func TestGiveUp(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := refuses(p, "poison", http.StatusInternalServerError)
	r.append(0, chat("c", "ann", "poison"))
	r.start(p.URL, func(c *Config) { c.GiveUp = 2 * time.Second })
	await.That(t, "it is refused", func() bool { return asked.Load() > 0 })
	r.append(0, chat("c", "ann", "after"))
	r.gets(p, 0, "chat c ann after")
	if asked.Load() < 2 {
		t.Errorf("it was tried %d times", asked.Load())
	}
}

// For how long something was refused counts on where the role is restarted: else one that
// is restarted often would never give up. What came meanwhile is not given up with it.
func TestGiveUpCountsOnAfterARestart(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := refuses(p, "poison", http.StatusInternalServerError)
	seq := r.append(0, chat("c", "ann", "poison"))
	const enough = 300 * time.Millisecond
	_, stop := r.start(p.URL, func(c *Config) { c.GiveUp = time.Hour })
	await.That(t, "it is kept for how long it is refused", func() bool {
		kept := r.kept(0)
		return kept.RefusedFor > enough.Milliseconds() && kept.RefusedBelow == seq+1
	})
	stop()
	r.append(0, chat("c", "ann", "after"))
	before := asked.Load()
	_, stop = r.start(p.URL, func(c *Config) { c.GiveUp = enough })
	r.gets(p, 0, "chat c ann after")
	if n := asked.Load() - before; n != 1 {
		t.Errorf("it was tried %d times more, want once", n)
	}
	await.That(t, "what is behind is not refused", func() bool { kept := r.kept(0); return kept.Next > seq+1 && kept.RefusedFor == 0 })
	stop()
	if kept := r.kept(0); kept.RefusedFor != 0 {
		t.Errorf("it is kept that something was refused: %v", kept)
	}
}

// What is skipped while no process runs takes with it for how long it was refused.
func TestSkipEndsARefusal(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	refuses(p, "poison", http.StatusInternalServerError)
	seq := r.append(0, chat("c", "ann", "poison"))
	_, stop := r.start(p.URL, func(c *Config) { c.GiveUp = time.Hour })
	await.That(t, "it is kept that it is refused", func() bool { return r.kept(0).RefusedFor > 0 })
	stop()
	if err := Skip(r.ctx(), r.client, r.log, DefaultName, 0, seq+1); err != nil {
		t.Fatal(err)
	}
	cfg := configOf(r.addr, p.URL)
	cfg.GiveUp = time.Hour
	h, err := New(cfg)
	if err == nil {
		defer h.client.Close()
		defer h.receiver.Close()
		err = h.open(r.ctx())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := h.takeOver(r.ctx(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.producer.Close() }()
	if c.refusal != (refusal{}) {
		t.Errorf("what comes after it was refused since %v", c.refusal.since)
	}
}

// kept is the position that parley.hooks has.
func (r *rig) kept(partition int) *schema.HooksFrom {
	r.t.Helper()
	from := new(schema.HooksFrom)
	first, end, err := r.client.Offsets(r.ctx(), schema.TopicHooks, partition)
	if err == nil {
		err = r.client.ReadRange(r.ctx(), schema.TopicHooks, partition, first, end, 0, func(rec eventlog.Record) error {
			if string(rec.Key) != schema.HooksKey(DefaultName, schema.HooksKeyFrom) {
				return nil
			}
			return proto.Unmarshal(rec.Value, from)
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return from
}

// After 410 nothing is sent any more, under that name, until the role starts again.
func TestGone(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := refuses(p, "enough", http.StatusGone)
	r.append(0, chat("c", "ann", "enough"))
	h, stop := r.start(p.URL)
	await.That(t, "the hooks stop", func() bool { return h.gone.Load() })
	if health := h.Health(r.ctx()); health.Ready() || !strings.Contains(strings.Join(health.Unready, " "), "answered 410") {
		t.Errorf("the health is %+v", health)
	}
	r.append(1, chat("d", "ann", "other"))
	other := newProgram(t, false)
	r.start(other.URL, named("other"))
	r.gets(other, 1, "chat d ann other")
	if asked.Load() != 1 || p.count() > 0 {
		t.Errorf("asked %d times after 410, %d events", asked.Load(), p.count())
	}
	stop()
	p.before = nil
	r.start(p.URL)
	r.gets(p, 0, "chat c ann enough")
	r.gets(p, 1, "chat d ann other")
}

// What is sent at once is bounded, for whatever events: those that JSON makes six
// times as long, too.
//
//parley:bound events for a receiver
func TestBatchesAreBounded(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	var largest atomic.Int64
	p.before = func(_ http.ResponseWriter, m message) bool {
		size := 0
		for _, e := range m.Events {
			size += 6 * len(e.Body)
		}
		if m.Partition == 0 { // one at a time
			largest.Store(max(largest.Load(), int64(size)))
		}
		if len(m.Events) > 1 && size > maxBytes || len(m.Events) > maxEvents {
			t.Errorf("%d events of %d bytes at once", len(m.Events), size)
		}
		return false
	}
	const n = 60
	for i := range n {
		e := chat("c", "ann", strings.Repeat("\x01", schema.MaxBody))
		e.GetChat().Id = strings.Repeat("i", i+1)
		r.produce(0, e, nil)
	}
	for range 3 * maxEvents {
		r.produce(1, join("c", "s", "ann"), nil)
		r.produce(1, leave("c", "s", "ann"), nil)
	}
	if err := r.events.Flush(r.ctx()); err != nil {
		t.Fatal(err)
	}
	r.start(p.URL)
	await.That(t, "all of it arrives", func() bool { return p.count() == n+12*maxEvents })
	if largest.Load() < 6*schema.MaxBody {
		t.Errorf("the largest message has %d bytes", largest.Load())
	}
}

// A receiver that says when to come again is asked then, and within the backoff's longest
// wait whatever it says.
func TestRetryAfter(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	asked := make(chan time.Time, 2)
	p.before = func(w http.ResponseWriter, _ message) bool {
		asked <- time.Now()
		if len(asked) == cap(asked) {
			return false
		}
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	r.append(0, chat("c", "ann", "later"))
	h, _ := r.start(p.URL)
	r.gets(p, 0, "chat c ann later")
	if first := <-asked; (<-asked).Sub(first) < h.timing.longestRetry {
		t.Error("it was not waited for as long as the receiver said")
	}
}

func TestPause(t *testing.T) {
	times := timing{firstRetry: time.Second, longestRetry: time.Minute}
	for name, c := range map[string]struct {
		err  error
		want time.Duration
	}{
		"no answer":             {errors.New("no answer"), 7 * time.Second},
		"no time":               {&webhook.Refused{}, 7 * time.Second},
		"a time":                {fmt.Errorf("it failed: %w", &webhook.Refused{RetryAfter: 20 * time.Second}), 20 * time.Second},
		"sooner than a retry":   {&webhook.Refused{RetryAfter: time.Nanosecond}, time.Second},
		"later than the latest": {&webhook.Refused{RetryAfter: time.Hour}, time.Minute},
	} {
		if got := times.pause(c.err, backoff.NewConstantBackOff(7*time.Second)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
