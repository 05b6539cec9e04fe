package connector

import (
	"context"
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
)

// watching asks for a watch of channel a.
type watching struct {
	r       *foldRig
	done    chan struct{}
	ch      *channel
	release func()
	err     error
}

func (r *foldRig) watches() *watching {
	w := &watching{r: r, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
		defer cancel()
		w.ch, w.release, w.err = r.inc.watchChannel(ctx, "a")
	}()
	return w
}

// begins waits until the watch has begun.
func (w *watching) begins() {
	w.r.t.Helper()
	<-w.done
	if w.err != nil || w.ch == nil {
		w.r.t.Fatalf("the watch: %v", w.err)
	}
}

// knows waits until the channel has passed what the log has.
func (w *watching) knows() {
	w.r.t.Helper()
	w.ch.Lock()
	defer w.ch.Unlock()
	if got := w.ch.Position(); got != w.r.offset-1 {
		w.r.t.Errorf("the position is %d, the log is at %d", got, w.r.offset-1)
	}
}

// wantFollowed says whether the connector follows channel a.
func (r *foldRig) wantFollowed(want bool) {
	r.t.Helper()
	if got := r.inc.channels.get("a") != nil; got != want {
		r.t.Errorf("the channel is followed: %v", got)
	}
}

// A channel that is watched is followed without a member, from one exact position on,
// for as long as anybody needs it.
func TestWatch(t *testing.T) {
	r := newFoldRig(t)
	r.says("before")
	first := r.watches()
	r.passes("watch")
	first.begins()
	first.knows()
	r.says("after")
	first.knows()
	second := r.watches() // which needs no event
	second.begins()
	first.release()
	first.release()
	r.says("for the second")
	second.knows()
	eve := r.enters("eve")
	eve.joins()
	eve.asks("leave")
	r.passes("leave")
	eve.hears(hasLeft)
	r.wantFollowed(true)
	eve.joins()
	second.release()
	r.passes("unwatch")
	r.wantFollowed(true) // for eve
	eve.asks("leave")
	r.passes("leave")
	r.wantFollowed(false)
}

// A watch that begins while the end of another is on its way is not taken for it.
func TestWatchAgain(t *testing.T) {
	r := newFoldRig(t)
	first := r.watches()
	r.passes("watch")
	first.begins()
	first.release()
	second := r.watches()
	await.That(t, "it is on its way", func() bool {
		r.inc.watches.mu.Lock()
		defer r.inc.watches.mu.Unlock()
		return r.inc.watches.all["a"] != nil
	})
	r.passes("unwatch")
	r.wantFollowed(false)
	select {
	case <-second.done:
		t.Fatal("it has begun before it is in the log")
	default:
	}
	r.passes("watch")
	second.begins()
	second.knows()
	if second.ch == first.ch {
		t.Error("it has the channel of the first")
	}
}

// Who waits no longer ends the watch once it is in the log.
func TestWatchIsGivenUp(t *testing.T) {
	r := newFoldRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := r.inc.watchChannel(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	second := r.watches()
	await.That(t, "it is on its way", func() bool {
		r.inc.watches.mu.Lock()
		defer r.inc.watches.mu.Unlock()
		return r.inc.watches.all["a"] != nil
	})
	r.passes("watch") // that of the first
	r.wantFollowed(true)
	r.passes("unwatch")
	r.wantFollowed(false)
	r.passes("watch")
	second.begins()
	second.knows()
}

// A watch that the log has refused fails, and is ended in any case: it may be there.
func TestWatchIsRefused(t *testing.T) {
	r := newFoldRig(t)
	r.inc.watches.hold("b") // so that the fold knows the connector
	r.passes("watch")
	first := r.watches()
	await.That(t, "it is published", func() bool {
		held, ok := r.log.take()
		if ok {
			held.done(eventlog.Ack{Err: errors.New("refused")})
		}
		return ok
	})
	<-first.done
	if !errors.Is(first.err, errNotWatched) {
		t.Errorf("the watch: %v", first.err)
	}
	r.inc.watches.endStrays()
	r.passes("unwatch") // of a channel that is not known here
	r.inc.watches.endStrays()
	if _, more := r.log.take(); more {
		t.Error("it is ended twice")
	}
	second := r.watches()
	r.passes("watch")
	second.begins()
	second.release()
	await.That(t, "its end is published", func() bool {
		held, ok := r.log.take()
		if ok {
			held.done(eventlog.Ack{Err: errors.New("refused")})
		}
		return ok
	})
	third := r.watches() // takes the end back
	r.passes("watch")
	third.begins()
	r.inc.watches.endStrays()
	if _, more := r.log.take(); more {
		t.Error("the end of an earlier watch is published")
	}
}

// Before format 2 the log knows no watch.
func TestWatchBeforeFormat2(t *testing.T) {
	r := newFoldRig(t)
	r.inc.log.Format = 1
	r.inc.formats[0].Store(1)
	if _, _, err := r.inc.watchChannel(context.Background(), "a"); !errors.Is(err, errNotWatched) {
		t.Errorf("the watch: %v", err)
	}
}
