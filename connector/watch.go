package connector

import (
	"context"
	"errors"
	"sync"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

// errNotWatched says that the log did not take a watch.
var errNotWatched = errors.New("the log did not take the watch of a channel: try again")

// watches are the channels that the incarnation follows whether or not it has members
// of them. Safe for concurrent use.
type watches struct {
	inc *incarnation

	mu     sync.Mutex
	all    map[string]*watch
	strays map[string]bool // nobody needs them, and the log has not taken that yet
}

// watch is one channel's, for all who need it.
type watch struct {
	name    string
	holders int
	at      int64         // its offset in the log; 0: not acknowledged yet
	channel *channel      // as of the newest push that says that it is watched
	seen    int64         // the offset of that
	begun   chan struct{} // closed when the stream has passed it, or it has failed
	failed  bool
}

func newWatches(inc *incarnation) *watches {
	return &watches{inc: inc, all: map[string]*watch{}, strays: map[string]bool{}}
}

// watchChannel has the incarnation follow a channel until release is called, and
// returns it once it is exact.
func (inc *incarnation) watchChannel(ctx context.Context, name string) (ch *channel, release func(), err error) {
	w := inc.watches.hold(name)
	release = sync.OnceFunc(func() { inc.watches.release(w) })
	select {
	case <-w.begun:
		if ch = inc.watches.channelOf(w); ch != nil {
			return ch, release, nil
		}
		err = errNotWatched
	case <-inc.ctx.Done():
		err = context.Cause(inc.ctx)
	case <-ctx.Done():
		err = ctx.Err()
	}
	release()
	return nil, nil, err
}

// hold watches a channel on behalf of one more.
func (l *watches) hold(name string) *watch {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.all[name]
	if w == nil {
		w = &watch{name: name, begun: make(chan struct{})}
		l.begin(w)
	}
	w.holders++
	return w
}

// begin publishes a watch. One that may be in the log already is repeated, which
// changes nothing. The lock is held.
func (l *watches) begin(w *watch) {
	event := &schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{
		Channel: w.name, Connector: l.inc.events.connector, PushPartition: int32(l.inc.pushPartition),
	}}}
	err := errNotWatched
	if l.inc.format(w.name) >= 2 {
		err = l.publish(w.name, event, func(a eventlog.Ack) { l.stored(w, a) })
	}
	if err != nil {
		w.failed = true
		close(w.begun)
		return
	}
	l.all[w.name] = w
	delete(l.strays, w.name)
}

// stored takes what the log says of a watch. One that it has refused it may have all the
// same.
func (l *watches) stored(w *watch, a eventlog.Ack) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.Err == nil {
		w.at = a.Offset
		w.checkBegun()
		return
	}
	if l.all[w.name] == w {
		delete(l.all, w.name)
		l.strays[w.name] = true
	}
	w.failed = true
	close(w.begun)
}

func (w *watch) checkBegun() {
	if w.at > 0 && w.seen == w.at {
		close(w.begun)
	}
}

// channelOf is the channel of a watch that has begun; nil: it has failed.
func (l *watches) channelOf(w *watch) *channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.failed {
		return nil
	}
	return w.channel
}

// of is a channel that is watched; nil: it is not, or not yet.
func (l *watches) of(name string) *channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.all[name]; w != nil && w.at > 0 && w.seen == w.at {
		return w.channel
	}
	return nil
}

// passed is called when the stream says that a channel is watched from an offset on.
func (l *watches) passed(ch *channel, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.all[ch.Name()]; w != nil {
		w.channel, w.seen = ch, offset
		w.checkBegun()
	}
}

// release ends a watch that nobody needs any more.
func (l *watches) release(w *watch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.holders--; w.holders > 0 || l.all[w.name] != w {
		return
	}
	delete(l.all, w.name)
	l.end(w.name)
}

// end publishes the end of a watch; until the log has it, the name is among the strays.
// The lock is held.
func (l *watches) end(name string) {
	event := &schema.Event{Kind: &schema.Event_Unwatch{Unwatch: &schema.Unwatch{Channel: name, Connector: l.inc.events.connector}}}
	err := l.publish(name, event, func(a eventlog.Ack) {
		if a.Err == nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.all[name] == nil {
			l.strays[name] = true
		}
	})
	if err != nil {
		l.strays[name] = true
		return
	}
	delete(l.strays, name)
}

// endStrays tries again to end watches.
func (l *watches) endStrays() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.strays {
		l.end(name)
	}
}

func (l *watches) publish(name string, e *schema.Event, done func(eventlog.Ack)) error {
	return l.inc.events.publish(l.inc.channels.partitionOf(name), name, e, tracing.Span{}, done)
}
