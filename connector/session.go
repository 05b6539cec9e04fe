package connector

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// session is one client's connection; it has a user from its hello on. It outlives its
// connection until the leaves of its channels have passed.
//
// Lock order: channel, then session.mu, then what its front has.
type session struct {
	id    string
	inc   *incarnation
	front front.Front

	// A slot for each request that is not answered yet.
	unanswered chan struct{}

	ticket *ticket // of its connection

	spans openSpans

	// Owned by the reading goroutine.
	bearer          string // the token of the upgrade request, until hello
	flood, excess   flood  // malformed frames, and requests above the rate
	requests, joins *bucket

	account *account // of the user; nil before hello. Set by the reading goroutine, with mu

	mu        sync.Mutex
	user      string            // "" before hello; set once
	places    map[string]*place // channels joined, being joined or being left
	ended     bool              // the connection is gone
	leaveAt   time.Time         // when an ended session leaves its channels
	reason    schema.Reason     // of these leaves
	expires   time.Time         // of the token; zero: never
	lingering int               // leaves that are kept back

	opened time.Time
}

// place is one session's place in one channel. Joins and leaves take effect
// when their event passes in the push stream; until then they are operations
// under way, in the order of their events.
type place struct {
	session   *session
	name      string
	partition int

	// Guarded by session.mu.
	ops     []*operation // published, not yet passed
	later   []*operation // kept back, unpublished: a leave, then joins and leaves in turn
	entered bool         // it is a member, as of the stream
	result  *operation   // the join that has passed and whose result is being made
	channel *channel     // where it is a member
	acked   int64        // the highest seq acknowledged to the session here

	// Guarded by the channel's lock.
	since  int64 // the seq of its join
	member room.Member
}

// operation is a join or a leave under way.
type operation struct {
	join   bool
	asked  []*joinCall // of a join; empty: nobody waits for it any more
	behind []follower  // of a join
	timer  *time.Timer // of a join, or of a leave that was asked for; nil once it has passed
	leave  *call       // of a leave; nil: nobody waits for it
	stored bool        // of a leave: it is in the log

	abandoned bool      // a leave whose answer did not come in time
	lingers   time.Time // of a leave that is kept back: until when; zero: until a result is made
	refused   bool      // by the log, which may have it all the same
}

// follower is a request that waits for a join under way.
type follower interface {
	// passed is called when the join passes, with the channel's lock held.
	passed(ch *channel)
	// answer is called after the join's result; ch is nil when there is no result.
	answer(ch *channel)
}

// joined reports whether the session is in the channel as far as its client knows:
// its last request decides. session.mu is held.
func (p *place) joined() bool {
	if op := p.last(); op != nil {
		return op.join && len(op.asked) > 0
	}
	return p.entered
}

// last is the newest operation that has not taken effect; nil: there is none,
// nor where there is no place.
// session.mu is held.
func (p *place) last() *operation {
	if p == nil {
		return nil
	}
	if n := len(p.later); n > 0 {
		return p.later[n-1]
	}
	if n := len(p.ops); n > 0 {
		return p.ops[n-1]
	}
	return nil
}

// pass takes the oldest operation if it is of that kind. session.mu is held.
func (p *place) pass(join bool) *operation {
	if len(p.ops) == 0 || p.ops[0].join != join {
		return nil
	}
	op := p.ops[0]
	p.ops = p.ops[1:]
	if op.timer != nil {
		op.timer.Stop()
		op.timer = nil
	}
	return op
}

// refused deals with an operation that the log refused: an attempt whose answer
// was lost may have written it all the same, so that it may pass, or never. The
// session has to start again; the end of its connection brings the leave that
// settles what became of it.
func (s *session) refused(op *operation) {
	s.mu.Lock()
	op.refused = true
	s.mu.Unlock()
	s.front.Close(rpc.CloseLostPlace, "the log refused a join or a leave: rejoin")
}

// place returns the session's place in a channel that it has joined, or is
// joining.
func (s *session) place(channel string) (*place, *rpc.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[channel]; p != nil && p.joined() {
		return p, nil
	}
	return nil, rpc.NotJoined()
}

// afterJoin has f answered once no join of the place is under way: now, or
// after its result. A leave that passes meanwhile changes nothing for f. Only
// the connection's reading goroutine calls it.
func (p *place) afterJoin(f follower) {
	s := p.session
	s.mu.Lock()
	if op := p.last(); op != nil && op.join {
		givenUp := len(op.asked) == 0 // a moment ago
		if !givenUp {
			op.behind = append(op.behind, f)
		}
		s.mu.Unlock()
		if givenUp {
			f.answer(nil)
		}
		return
	}
	ch := p.channel
	s.mu.Unlock()
	if ch != nil {
		ch.Lock()
		f.passed(ch)
		ch.Unlock()
	}
	s.mu.Lock()
	if p.result != nil {
		p.result.behind = append(p.result.behind, f)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	f.answer(ch)
}

// acknowledged remembers the highest seq of a channel that the session knows of.
func (s *session) acknowledged(channel string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[channel]; p != nil {
		p.acked = max(p.acked, seq)
	}
}

// call is one request. It is answered exactly once; a notification never.
type call struct {
	session  *session
	method   string
	id       []byte // nil: a notification
	span     tracing.Span
	cost     int // bytes that count until it is answered
	answered atomic.Bool
}

func (c *call) result(result any) {
	c.reply(func(b []byte) []byte { return rpc.AppendJSON(b, result) })
}

// reply answers with the result that write appends.
func (c *call) reply(write func([]byte) []byte) { c.respond(nil, write) }

// fail answers with an error.
func (c *call) fail(e *rpc.Error) { c.respond(e, nil) }

// respond answers with an error, or with the result that write appends.
func (c *call) respond(e *rpc.Error, write func([]byte) []byte) {
	if c.answered.Swap(true) {
		return
	}
	c.session.inc.metrics.answered(c.method, e)
	<-c.session.unanswered
	switch front := c.session.front; {
	case c.id == nil:
	case e != nil:
		front.Refuse(c.id, e)
	default:
		front.Answer(c.id, write)
	}
	c.session.front.Release(c.cost)
	c.endSpan(e)
}
