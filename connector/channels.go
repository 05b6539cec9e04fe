package connector

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema"
)

// channel is a channel with local members, and what sessions wait for in it. Its
// lock guards all of it, but for what never changes.
type channel struct {
	*room.Channel
	partition int

	departing []*place       // members whose connection is gone and whose leave waits
	loading   *load          // the read of history that fills its memory; nil: there is none
	dirty     bool           // among those that the stream flushes at the end of the batch
	reacting  bool           // among those whose members are to be told of reactions
	looking   bool           // messages that are reacted to are being looked up
	aims      map[int64]*aim // by the message that is waited for, or looked up
	slow      slow
	begun     time.Time // when the connector began to follow it
	filled    bool      // memory was filled for slow mode, as far as it could be
	unjudged  []*act    // messages that wait for that
}

// detach ends p's membership.
func (ch *channel) detach(p *place) {
	ch.departing = slices.DeleteFunc(ch.departing, func(o *place) bool { return o == p })
	ch.Detach(&p.member)
}

// channels are those that have members on a connector. Safe for concurrent use.
type channels struct {
	options    room.Options
	partitions int
	large      int // users above which a channel is large

	mu       sync.RWMutex
	all      map[string]*channel
	left     map[string]time.Time // when large channels were left
	reacting []*channel           // whose members are to be told of reactions
}

func newChannels(partitions int, o room.Options) *channels {
	return &channels{
		options: o, partitions: partitions, large: lingerAbove,
		all: map[string]*channel{}, left: map[string]time.Time{},
	}
}

func (l *channels) partitionOf(name string) int { return schema.PartitionOf(name, l.partitions) }

// get is the channel of that name; nil when it has no member here.
func (l *channels) get(name string) *channel {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[name]
}

func (l *channels) subscribe(name string) *channel {
	ch := &channel{Channel: room.New(name, l.options), partition: l.partitionOf(name), begun: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[name] = ch
	return ch
}

// unsubscribe forgets a channel, whose lock is held.
func (l *channels) unsubscribe(ch *channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, ch.Name())
	if ch.Count() > l.large {
		l.left[ch.Name()] = time.Now()
	}
}

// list is a copy, in no order.
func (l *channels) list() []*channel {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.AppendSeq(make([]*channel, 0, len(l.all)), maps.Values(l.all))
}

func (l *channels) count() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.all)
}

// presence sends crowded channels the number of their members.
func (l *channels) presence() {
	for _, ch := range l.list() {
		ch.Lock()
		ch.Presence()
		ch.Unlock()
	}
}

// react has the members of a channel, whose lock is held, told of reactions at the
// next round.
func (l *channels) react(ch *channel) {
	if ch.reacting || !ch.Reacting() {
		return
	}
	ch.reacting = true
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reacting = append(l.reacting, ch)
}

// reactions tells the members of channels of reactions.
func (l *channels) reactions() {
	l.mu.Lock()
	all := l.reacting
	l.reacting = nil
	l.mu.Unlock()
	for _, ch := range all {
		ch.Lock()
		ch.Reactions()
		ch.reacting = false
		l.react(ch)
		ch.Unlock()
	}
}

// leftLately reports whether the connector has left a large channel of that
// name a moment ago.
func (l *channels) leftLately(name string) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	at, known := l.left[name]
	return known && time.Since(at) < lingerWindow
}

// forgetLeft forgets channels that were left long ago.
func (l *channels) forgetLeft(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, at := range l.left {
		if now.Sub(at) >= lingerWindow {
			delete(l.left, name)
		}
	}
}
