package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// What a repeat repeats is found for as far back as each repeat is within a window
// of the one before, and nobody else's act with that id is taken for it.
func TestFirstFollowsRepeats(t *testing.T) {
	w := newWorld(t, 12)
	act := func(channel, user, id string) rpc.Message {
		return rpc.Message{Channel: channel, ID: id, User: user, Body: "x", Time: int64(1000 + len(w.events))}
	}
	w.publish(act("lobby", "ada", "a")) // at 1
	w.publish(say("lobby", 5)...)
	w.publish(act("lobby", "bob", "a"), act("other", "ada", "a"), rpc.Message{Channel: "lobby"}) // 7 to 9
	w.publish(say("other", 3)...)
	w.publish(act("lobby", "ada", "a")) // at 13, a window later
	w.publish(say("room", 9)...)
	w.publish(act("lobby", "ada", "a"), act("lobby", "ada", "b")) // at 23 and 24
	w.publish(say("room", 12)...)
	w.publish(act("lobby", "ada", "b")) // at 37, too late to be a repeat
	r := w.reader(w.log.Epoch, nil)
	for _, c := range []struct {
		channel, user, id string
		at, want          int64 // 0: there is nothing
	}{
		{"lobby", "ada", "a", 23, 1}, {"lobby", "ada", "a", 13, 1}, {"lobby", "ada", "a", 1, 0}, {"lobby", "ada", "a", 35, 1}, {"lobby", "ada", "a", 36, 0},
		{"lobby", "bob", "a", 19, 7}, {"lobby", "bob", "a", 20, 0}, {"other", "ada", "a", 10, 8}, {"lobby", "eve", "a", 23, 0},
		{"lobby", "ada", "b", 36, 24}, {"lobby", "ada", "b", 37, 0}, {"lobby", "ada", "b", 38, 37},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			found, ok, err := r.First(w.ctx, c.channel, c.user, c.id, c.at)
			if err != nil || ok != (c.want > 0) || ok && found != (Act{c.want, w.events[c.want].Time}) {
				t.Errorf("%+v %v %v", found, ok, err)
			}
		})
	}
	if end, err := r.End(w.ctx, "lobby"); err != nil || end != int64(len(w.events)) {
		t.Errorf("the log ends at %d, %v, want %d", end, err, len(w.events))
	}
	ended, end := context.WithCancel(w.ctx)
	end()
	if _, _, err := r.First(ended, "lobby", "ada", "a", 23); !errors.Is(err, context.Canceled) {
		t.Errorf("when its caller has gone: %v", err)
	}
	r.Close()
	if _, _, err := r.First(w.ctx, "lobby", "ada", "a", 23); !errors.Is(err, ErrClosed) {
		t.Errorf("when the reader is closed: %v", err)
	}
}

// Those who look for something at the same time share a few reads of the log.
func TestSearchesAreShared(t *testing.T) {
	w := newWorld(t, 64)
	for i := range 40 {
		w.publish(rpc.Message{Channel: "lobby", ID: fmt.Sprint(i), User: "ada", Body: "x"})
	}
	r := w.reader(w.log.Epoch, nil)
	r.finder.waiting, r.finder.turns = map[int]*search{}, make(chan struct{}, searchesAtOnce)
	for range searchesAtOnce {
		r.finder.turns <- struct{}{}
	}
	var callers sync.WaitGroup
	for i := range 40 {
		callers.Go(func() {
			found, ok, err := r.First(w.ctx, "lobby", "ada", fmt.Sprint(i), 41)
			if !ok || err != nil || found.Seq != int64(i+1) {
				t.Errorf("%d: %+v %v %v", i, found, ok, err)
			}
		})
	}
	for waiting := 0; waiting < 40; {
		r.finder.mu.Lock()
		if s := r.finder.waiting[0]; s != nil {
			waiting = len(s.acts)
		}
		r.finder.mu.Unlock()
	}
	for range searchesAtOnce {
		<-r.finder.turns
	}
	callers.Wait()
}
