package history

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// Who asks at about the same time whether a channel has messages shares a query. A
// private message is one, joins and void messages are none.
func TestLookupsAreShared(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(
		rpc.Message{Channel: "secret", ID: "a", User: "ada", To: "eve", Body: "psst"},
		rpc.Message{Channel: "joined", User: "ada", Body: "a join"},
		rpc.Message{Channel: `o'hara \' "x" \`, ID: "a", User: "ada", Body: "hi"},
	)
	w.migrate()
	w.project(1, w.log.Epoch, 3)
	s := w.reader(w.log.Epoch, nil).store
	s.lookedUp = time.Now().Add(time.Hour) // so that it waits until it is full
	at := location{generation: 1, epoch: w.log.Epoch, end: 4}
	var all sync.WaitGroup
	var mu sync.Mutex
	var silent []string
	first, err := s.lookUp(w.ctx, "secret", at)
	if err != nil {
		t.Fatal(err)
	}
	for _, channel := range []string{"secret", "joined", `o'hara \' "x" \`, "nobody's"} {
		all.Go(func() {
			is, err := s.silent(w.ctx, channel, at)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if is {
				silent = append(silent, channel)
			}
		})
	}
	await.That(t, "one query is for all of them", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(first.keys) == 10
	})
	for range fullLookup - 5 {
		if l, err := s.lookUp(w.ctx, "another", at); l != first || err != nil {
			t.Fatal("it does not take more", err)
		}
	}
	all.Wait()
	slices.Sort(silent)
	if want := []string{"joined", "nobody's"}; !slices.Equal(silent, want) {
		t.Errorf("%q have no messages, want %q", silent, want)
	}
}

// Channels of other tables are not asked for in the same query, and one that is
// full does not wait.
func TestLookupsOfOtherTables(t *testing.T) {
	w := newWorld(t, 12)
	w.migrate()
	s := w.reader(w.log.Epoch, nil).store
	s.lookedUp = time.Now().Add(time.Hour)
	at, other := location{generation: 1, epoch: w.log.Epoch}, location{generation: 2, epoch: w.log.Epoch}
	for range fullLookup - 1 {
		if l, err := s.lookUp(w.ctx, "lobby", at); l == nil || err != nil {
			t.Fatal(l, err)
		}
	}
	if l, err := s.lookUp(w.ctx, "lobby", other); l != nil || err != nil {
		t.Error("one of other tables is among them:", err)
	}
	if silent, err := s.silent(w.ctx, "lobby", at); !silent || err != nil {
		t.Error(silent, err)
	}
}

// Watermarks that were read a moment ago are used again: the log has the rest.
func TestWatermarksAreReadNowAndThen(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	w.migrate()
	w.project(1, w.log.Epoch, 8)
	s := w.reader(w.log.Epoch, nil).store
	read := func(want int64) {
		t.Helper()
		if m, err := s.watermark(w.ctx, 0); err != nil || m.seq != want {
			t.Errorf("the watermark is %d, want %d, error %v", m.seq, want, err)
		}
	}
	read(8)
	w.project(1, w.log.Epoch, 9)
	s.marked = time.Now().Add(time.Hour) // a moment ago, however long this takes
	read(8)
	s.marked = time.Now().Add(-markAge)
	read(9)
}
