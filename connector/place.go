package connector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema/rpc"
)

// place is one session's place in one channel. Joins and leaves take effect
// when their events pass in the push stream; until then they are operations on
// their way, in the order of their events.
type place struct {
	session   *session
	name      string
	partition int

	// Guarded by session.mu.
	state   state
	ops     []*operation // published, not yet passed
	later   []*operation // kept back, unpublished: a leave, then joins and leaves in turn
	result  *operation   // while it is catching up, or put out: the join whose result is being made
	channel *channel     // while it is a member
	acked   int64        // the highest seq acknowledged to the session here
	own     ownActs
	// expelled: its user lost the right to this stay.
	expelled bool
	removed  rpc.RemovedPush // while it is put out: what follows the result
	removals int             // how often it was put out

	// Guarded by the channel's lock.
	since    int64 // the seq of its join
	member   room.Member
	unjudged *channel // where messages of the session wait to be judged; nil: none do
}

// operation is a join or a leave.
type operation struct {
	join      bool
	asked     []*joinCall // of a join: who waits for it
	followers []follower  // of a join: who waits for its result
	leave     *call       // of a leave: who waits for it; nil: nobody does
	timer     *time.Timer // when those who wait are answered; nil: nobody has asked for it
	passed    bool        // it has taken effect
	stored    bool        // of a leave: it is in the log
	givenUp   bool        // of a leave: whoever waited was answered that it takes too long
	refused   bool        // by the log, which may have it all the same
	until     time.Time   // of a leave that lingers
}

// awaited reports whether somebody waits for a join.
func (op *operation) awaited() bool { return len(op.asked) > 0 }

// abandonJoin lets go of who waits for a join, or for its result.
func (op *operation) abandonJoin() {
	for _, j := range op.asked {
		j.abandon()
	}
	for _, f := range op.followers {
		f.abandon()
	}
	op.asked, op.followers = nil, nil
}

// follower is a request that waits for a join under way.
type follower interface {
	// passed is called when the join passes, with both locks held. done: it does
	// not wait for the result.
	passed(ch *channel) (done bool)
	// answer is called after the join's result.
	answer(ch *channel)
	// refused is called instead when the join is answered with an error.
	refused(bad *rpc.Error)
	// abandon is called instead when the session has ended.
	abandon()
}

// on changes the place's state. One that the table does not have would mean that
// what is known of the session is wrong: the incarnation ends, as for all doubts.
// session.mu is held.
func (p *place) on(s step) {
	inc := p.session.inc
	to, ok := transitions[s][p.state]
	if !ok {
		inc.fail(fmt.Errorf("a bug: %v where a session is %v: please report it", s, p.state))
		return
	}
	if inc.stepped != nil {
		inc.stepped(s, p.state)
	}
	p.state = to
	p.member.Leaving.Store(to >= leaving)
}

// joined reports whether the session is in the channel as far as its client knows:
// its last request decides. session.mu is held.
func (p *place) joined() bool {
	if op := p.last(); op != nil {
		return op.join && op.awaited()
	}
	return p.state == putOut || p.state.member()
}

// last is the newest operation that has not taken effect; nil: there is none,
// nor where there is no place. session.mu is held.
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

// withChannel runs f with both locks, unless the place has no channel.
func (p *place) withChannel(f func(ch *channel)) {
	s := p.session
	s.mu.Lock()
	ch := p.channel
	s.mu.Unlock()
	if ch == nil {
		return
	}
	ch.Lock()
	defer ch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.channel == ch {
		f(ch)
	}
}

// abandon lets go of what a session that has ended asked for, but for leaves
// on their way. session.mu is held.
func (p *place) abandon() {
	for _, op := range p.ops {
		op.abandonJoin()
	}
	for _, op := range p.later {
		if op.abandonJoin(); op.leave != nil {
			op.leave.abandon()
		}
	}
	p.later = nil
}

// pass takes the oldest operation if it is of that kind. session.mu is held.
func (p *place) pass(join bool) *operation {
	if len(p.ops) == 0 || p.ops[0].join != join {
		return nil
	}
	op := p.ops[0]
	p.ops = p.ops[1:]
	op.passed = true
	if op.timer != nil {
		op.timer.Stop()
	}
	return op
}

// refuse deals with an operation that the log refused: an attempt whose answer
// was lost may have written it all the same, so that it may pass, or never. The
// session has to start again; the end of its connection brings the leave that
// settles what became of it.
func (p *place) refuse(op *operation) {
	s := p.session
	s.mu.Lock()
	op.refused = true
	s.mu.Unlock()
	s.front.Close(rpc.CloseLostPlace, "the log refused a join or a leave: rejoin")
}

// afterJoin has f answered once no join of the place is under way: now, or
// after its result. A leave that passes meanwhile changes nothing for f. Only
// the connection's reading goroutine calls it.
func (p *place) afterJoin(f follower) {
	s := p.session
	s.mu.Lock()
	if op := p.last(); op != nil && op.join {
		bad := rpc.NotJoined() // it was given up a moment ago
		if op.awaited() {
			if bad = keep(f); bad == nil {
				op.followers = append(op.followers, f)
			}
		}
		s.mu.Unlock()
		if bad != nil {
			f.refused(bad)
		}
		return
	}
	ch := p.channel
	s.mu.Unlock()
	if ch == nil {
		f.refused(rpc.NotJoined())
		return
	}
	if p.begun(ch, f) {
		return
	}
	f.answer(ch)
}

// begun has f note that it need not wait for a join, and reports whether it is
// answered elsewhere, such as after a result that is being made, or refused because
// its stay is over.
func (p *place) begun(ch *channel, f follower) bool {
	s := p.session
	ch.Lock()
	defer ch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.channel != ch {
		f.refused(rpc.NotJoined())
		return true
	}
	if f.passed(ch) {
		return true
	}
	if p.state != catchingUp {
		return false
	}
	p.result.followers = append(p.result.followers, f)
	return true
}

// keep counts what a request that waits keeps of itself.
func keep(f follower) *rpc.Error {
	if a, is := f.(interface{ keep() *rpc.Error }); is {
		return a.keep()
	}
	return nil
}

// places are a session's, by channel. Guarded by session.mu.
type places map[string]*place

// joined counts the channels that the session has joined or is joining.
func (all places) joined() (n int) {
	for _, p := range all {
		if p.joined() {
			n++
		}
	}
	return n
}

// inOrder returns the places by their names, so that what follows does not depend
// on a map's order.
func (all places) inOrder() []*place {
	return slices.SortedFunc(maps.Values(all), func(a, b *place) int { return cmp.Compare(a.name, b.name) })
}
