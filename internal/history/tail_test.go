package history

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/schema/rpc"
)

// asker returns what asks a tail for reads, and a tail that is busy with one of
// [100, 200) of the lobby.
func asker(t *testing.T) (*tail, func(channel string, from, to int64, judge bool) *tailRead) {
	tail := &tail{
		cfg:     &Config{TailStep: 60, Epoch: epoch.Log{Window: 1000}},
		running: newTailRead(t.Context(), "lobby", 100, 200, false),
	}
	return tail, func(channel string, from, to int64, judge bool) *tailRead {
		t.Helper()
		r, err := tail.share(t.Context(), channel, from, to, judge)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// Who comes while a read is under way shares it when it covers what they want,
// else the next one, which covers what all want who wait for it.
func TestWhoSharesWhichRead(t *testing.T) {
	tail, share := asker(t)
	running := tail.running
	if share("lobby", 100, 200, false) != running || share("lobby", 150, 180, false) != running {
		t.Error("a read that is covered did not share the running one")
	}
	next := share("room", 150, 200, false)
	for _, r := range []*tailRead{share("lobby", 120, 201, false), share("lobby", 95, 160, false)} {
		if r == running || r != next {
			t.Error("a read that is not covered did not share the next one")
		}
	}
	channels := slices.Sorted(maps.Keys(next.channels))
	if next.from != 95 || next.to != 201 || next.judge || next.callers != 3 || !slices.Equal(channels, []string{"lobby", "room"}) {
		t.Errorf("the next read is of [%d, %d) of %v, judging %v, for %d", next.from, next.to, channels, next.judge, next.callers)
	}
	if running.from != 100 || running.to != 200 || running.judge || len(running.channels) != 1 {
		t.Error("the running read was changed")
	}
}

// Nobody shares a read of much more than they need: far away, much longer, or
// with the window before it.
func TestWhoSharesNoRead(t *testing.T) {
	tail, share := asker(t)
	tail.running = newTailRead(t.Context(), "lobby", 0, 10_000, false)
	reads := []*tailRead{
		share("lobby", 9950, 10_000, false), share("lobby", 9000, 9050, false), share("lobby", 6000, 10_000, false),
		share("lobby", 9950, 10_000, true), share("lobby", 0, 10_000, true),
	}
	for i, r := range reads {
		if r == tail.running || slices.Contains(reads[:i], r) {
			t.Errorf("read %d is shared", i)
		}
	}
	// In turns, the shortest and the one that waits longest.
	for _, i := range []int{0, 1, 3, 2, 4} {
		if tail.next() != reads[i] {
			t.Errorf("it is not the turn of read %d", i)
		}
	}
}

// What nobody waits for any more is not read.
func TestForsakenRead(t *testing.T) {
	tail, share := asker(t)
	r := share("room", 150, 180, false)
	share("room", 150, 180, false)
	if tail.abandon(r); len(tail.waiting) != 1 {
		t.Error("a read was given up that somebody waits for")
	}
	if tail.abandon(r); tail.next() != nil {
		t.Error("a read is made that nobody waits for")
	}
}

// A read near the end of a long tail is not made to fail by one far back that
// waits at the same time: each has the budget for itself.
func TestReadsFarApartHaveTheirOwnBudgets(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 200)...)
	w.migrate()
	w.project(1, w.log.Epoch, 2)
	r := w.reader(w.log.Epoch, func(c *Config) { c.TailBytes = 5000 })
	near, back, all := w.newest("lobby", 2), w.newest("lobby", 2), w.newest("lobby", 150)
	back.Mode, back.After = After, 3
	tail := r.tails[0]
	tail.running = newTailRead(t.Context(), "lobby", 0, 1, false) // until all wait
	var readers sync.WaitGroup
	for _, c := range []struct {
		q    Query
		want []int64
		err  error
	}{{near, []int64{199, 200}, nil}, {back, []int64{4, 5}, nil}, {all, []int64{}, ErrTail}} {
		readers.Go(func() {
			if page, err := r.Read(w.ctx, c.q); !errors.Is(err, c.err) || !slices.Equal(seqs(page), c.want) {
				t.Errorf("%v, error %v, want %v, %v", seqs(page), err, c.want, c.err)
			}
		})
	}
	for waiting := 0; waiting < 3; time.Sleep(time.Millisecond) {
		tail.mu.Lock()
		waiting = 0
		for _, r := range tail.waiting {
			waiting += r.callers
		}
		tail.mu.Unlock()
	}
	tail.work.Go(tail.run)
	readers.Wait()
}

// A caller that shares a read keeps what it asked for, not all that it holds.
func TestAnswersOfASharedReadAreSmall(t *testing.T) {
	const held = 100_000
	c := &logged{void: make([]bool, held)}
	for i := range held {
		c.all = append(c.all, rpc.Message{Channel: "lobby", Seq: int64(i), User: "ada", Body: "1234567890"})
	}
	r := &tailRead{judge: true, channels: map[string]*logged{"lobby": c}}
	for name, s := range map[string]span{
		"newest": {to: held, limit: 50, newest: true},
		"oldest": {from: 10, to: held, limit: 50},
		"bytes":  {to: held, limit: 300, bytes: 505, newest: true},
	} {
		found := r.messages(&Query{Channel: "lobby", User: "ada"}, s)
		if len(found) != 51 || cap(found) > 128 || !slices.IsSortedFunc(found, func(a, b rpc.Message) int { return int(a.Seq - b.Seq) }) {
			t.Errorf("%s: %d messages in room for %d", name, len(found), cap(found))
		}
		if first := found[0].Seq; s.newest && first != held-51 || !s.newest && first != 10 {
			t.Errorf("%s: they begin at %d", name, first)
		}
	}
}
