package connector

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema/rpc"
)

// Surroundings are what a [Simulated] incarnation has in place of Kafka, of
// ClickHouse, and of chance.
type Surroundings struct {
	ID            string
	PushPartition int
	Log           epoch.Log
	Large         int // users above which a channel is large
	Producer      appender
	Archive       archive
	// Now is the machine's clock; nil: a right one.
	Now func() time.Time
	// Step is called with each transition of a place, one of Transitions, from any
	// goroutine.
	Step func(transition string)
}

// Simulated is one incarnation of a connector without sockets, Kafka and clock,
// for the simulation of the whole system in tests/sim: everything that a connector
// decides, step by step. One goroutine calls its methods.
type Simulated struct {
	inc    *incarnation
	stream *stream
}

// NewSimulated returns an incarnation that works until ctx ends.
func NewSimulated(ctx context.Context, cfg *Config, s Surroundings) *Simulated {
	inc := newIncarnation(cfg, s.Log, nil, s.Archive)
	inc.id, inc.pushPartition, inc.ctx = s.ID, s.PushPartition, ctx
	inc.events.connector, inc.events.producer, inc.channels.large = s.ID, s.Producer, s.Large
	if s.Now != nil {
		inc.now, inc.events.now = s.Now, s.Now
	}
	inc.stepped = func(by step, from state) { s.Step(transition(by, from)) }
	inc.heart = newHeart(inc)
	return &Simulated{inc, &stream{inc: inc, seen: pushChain{}}}
}

// Transitions names all transitions that a session's place in a channel may make.
func Transitions() (all []string) {
	for by, table := range transitions {
		for from := range table {
			all = append(all, transition(step(by), from))
		}
	}
	return all
}

// Push takes a record of parley.push. Its error ends the incarnation, for a
// reason that EndReason names.
func (s *Simulated) Push(r *eventlog.Record) error { return s.stream.record(r) }

// Flush ends a batch of pushes: sessions are sent what it brought.
func (s *Simulated) Flush() { s.stream.flush() }

// SetSeen has the incarnation believe that this was the newest push of a
// partition.
func (s *Simulated) SetSeen(partition int32, offset int64, index int32) {
	s.stream.seen[partition] = stamp{offset, index}
}

// Beaten notes that a beat is in the log at an offset. The error says that the
// lease had run out before, as read shows parley.control between two beats.
func (s *Simulated) Beaten(offset int64, read func(from, to int64, fn func(eventlog.Record) error) error) error {
	if before := s.inc.heart.newest.Load().offset; before >= 0 && read != nil {
		if err := lapse(s.inc.id, before, offset, read); err != nil {
			return err
		}
	}
	s.inc.heart.beaten(time.Now(), offset)
	return nil
}

// Watch has the incarnation follow a channel without members, for one more who needs
// that; release is to be called when they do not need it any more. It does not wait
// until the watch is in the log.
func (s *Simulated) Watch(channel string) (release func()) {
	w := s.inc.watches.hold(channel)
	return func() { s.inc.watches.release(w) }
}

// Watched is the channel's position, if a watch has taken effect for those who need one.
func (s *Simulated) Watched(channel string) (position int64, yes bool) {
	ch := s.inc.watches.of(channel)
	if ch == nil {
		return 0, false
	}
	ch.Lock()
	defer ch.Unlock()
	return ch.Position(), true
}

// Keep is a round of housekeeping. The order of sessions is that of their ids.
func (s *Simulated) Keep() error {
	all := s.inc.sessions.list()
	slices.SortFunc(all, func(a, b *session) int { return cmp.Compare(a.id, b.id) })
	if err := s.inc.keepOnce(time.Now(), all, true); err != nil {
		return err
	}
	s.inc.channels.reactions()
	select {
	case err := <-s.inc.broken:
		return err
	default:
		return nil
	}
}

// Drain begins a planned stop.
func (s *Simulated) Drain() { s.inc.draining.Store(true) }

// Close closes all sessions.
func (s *Simulated) Close(code int) { s.inc.sessions.close(code, "") }

// Channels are those with members here.
func (s *Simulated) Channels() (all []*room.Channel) {
	for _, ch := range s.inc.channels.list() {
		all = append(all, ch.Channel)
	}
	return all
}

// Ended is how many sessions wait for their leaves to pass.
func (s *Simulated) Ended() int {
	s.inc.sessions.mu.RLock()
	defer s.inc.sessions.mu.RUnlock()
	return s.inc.sessions.ended
}

// SimulatedSession is a session of a [Simulated] incarnation.
type SimulatedSession struct{ s *session }

// Open begins a session that a front carries.
func (s *Simulated) Open(id string, f front.Front) SimulatedSession {
	session := s.inc.newSession(f, "")
	session.id = id
	s.inc.sessions.add(session, func() {})
	return SimulatedSession{session}
}

// Handle takes a request of its client, or the error to answer it with.
func (s SimulatedSession) Handle(r rpc.Request, bad *rpc.Error) { s.s.handle(r, bad) }

// Allow sets what its user may do, as a fresh token would.
func (s SimulatedSession) Allow(all grants.List) {
	s.s.mu.Lock()
	s.s.rights.claim, s.s.rights.compiled = all, false
	s.s.mu.Unlock()
	s.s.forbid()
}

// End notes that its connection is gone.
func (s SimulatedSession) End(e front.Ending) {
	clean, reason := s.s.howEnded(e)
	s.s.end(clean, reason)
}
