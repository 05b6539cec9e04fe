package connector

import (
	"context"
	"sync"
	"time"
)

const (
	guestTime = 60 * time.Second // for which a channel is watched after a backend asked about it
	maxGuests = 1000             // channels that are watched so; each may take 2 MiB
)

// guests are the channels that backends have asked about lately: they stay watched for a
// while, so that the next request need not wait. Safe for concurrent use.
type guests struct {
	inc *incarnation

	mu  sync.Mutex
	all map[string]*guest
}

type guest struct {
	watch *watch
	last  time.Time
}

func newGuests(inc *incarnation) *guests { return &guests{inc: inc, all: map[string]*guest{}} }

// enter returns a channel once it is exact; it stays so until release is called, and for
// guestTime.
func (l *guests) enter(ctx context.Context, name string) (ch *channel, release func(), err error) {
	ch, release, err = l.inc.watchChannel(ctx, name)
	if err == nil {
		l.touch(name, time.Now())
	}
	return ch, release, err
}

// touch has a channel that is watched stay so. Where there are too many, the one that
// nobody has asked about for longest is let go of.
func (l *guests) touch(name string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.inc.watches.hold(name)
	g := l.all[name]
	switch {
	case g == nil:
		g = &guest{watch: w}
		l.all[name] = g
	default: // one hold is enough, that of the newer watch
		l.inc.watches.release(g.watch)
		g.watch = w
	}
	g.last = now
	if len(l.all) <= maxGuests {
		return
	}
	oldest := name
	for other, g := range l.all {
		if g.last.Before(l.all[oldest].last) {
			oldest = other
		}
	}
	l.drop(oldest)
}

// drop lets go of a channel. The lock is held.
func (l *guests) drop(name string) {
	l.inc.watches.release(l.all[name].watch)
	delete(l.all, name)
}

// sweep lets go of channels that nobody has asked about lately.
func (l *guests) sweep(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, g := range l.all {
		if now.Sub(g.last) >= guestTime {
			l.drop(name)
		}
	}
}
