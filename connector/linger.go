package connector

import (
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// What a session asks for while its join is under way, or its result is being
// made, is kept back until the result is sent: a leave, and the joins and leaves
// that follow it. A leave that a join follows is then taken back: both are
// answered, and the log never knows of either.
//
// A connector that gets its first member of a channel is sent the whole list of
// members. Where its last one comes and goes, that list would be written each
// time. So in a large channel that the connector has left a moment ago the leave
// of its last session lingers: it is kept back for a while, and a join that
// follows takes it back too.
const (
	lingerFor    = 5 * time.Second
	lingerWindow = time.Minute // from one time that the channel is left to the next
	lingerAbove  = 100         // users in the channel
)

// keepBack keeps an operation back, for takeUp to deal with, and returns the
// place's channel. session.mu is held.
func (p *place) keepBack(op *operation) *channel {
	p.later = append(p.later, op)
	return p.channel
}

// takeUp goes on with what a place's session has asked for, unless a join is
// under way or its result being made: they go on with it.
func (p *place) takeUp(ch *channel) {
	s := p.session
	if ch == nil {
		return
	}
	ch.Lock()
	defer ch.Unlock()
	s.mu.Lock()
	var next *operation
	if p.channel == ch && (p.state == live || p.state == lingering) {
		next = p.goOn()
	}
	s.mu.Unlock()
	p.answerJoin(ch, next)
}

// goOn takes up what a member's session has asked for meanwhile. A leave that a
// join follows is taken back; that join is returned, for its result to be made.
// One without lingers, or is published. Both locks are held.
func (p *place) goOn() (next *operation) {
	if len(p.later) == 0 {
		return nil
	}
	leave := p.later[0]
	if len(p.later) > 1 {
		next, p.later = p.later[1], p.later[2:]
		p.channel.detach(p)
		leave.leave.result(rpc.Empty{})
		p.on(leaveTakenBack)
		p.begin(next)
		return next
	}
	if p.session.inc.channels.leftLately(p.name) && p.channel.IsLast(&p.member) {
		leave.until = time.Now().Add(lingerFor)
		p.on(leaveKeptBack)
		return nil
	}
	if err := p.publishKept(); err != nil {
		p.later = nil
		leave.leave.fail(rpc.Unavailable(retryAfter))
		if p.expelled { // it gets no pushes, so it has to go
			p.depart()
		}
	}
	return nil
}

// publishKept publishes a place's leave that was kept back. session.mu is held.
func (p *place) publishKept() error {
	op := p.later[0]
	if err := p.sendLeave(op, schema.Reason_REASON_LEAVE); err != nil {
		return err
	}
	p.ops, p.later = append(p.ops, op), nil
	p.on(leavePublished)
	return nil
}

// publishLingering publishes the leaves that have lingered long enough. session.mu
// is held.
func (all places) publishLingering(now time.Time) {
	var due places
	for name, p := range all {
		// Where a join follows the leave it is about to be taken back.
		if p.state == lingering && len(p.later) == 1 && !now.Before(p.later[0].until) {
			if due == nil {
				due = places{}
			}
			due[name] = p
		}
	}
	for _, p := range due.inOrder() {
		_ = p.publishKept() // else at the next round
	}
}

// lingersAtEnd reports whether the session's leaves wait for its user to come
// back although it ended in order: a channel would be left and entered at each
// connection. Nobody knows yet what a join under way brings. session.mu is held.
func (s *session) lingersAtEnd() bool {
	for name, p := range s.places {
		underWay := len(p.ops) > 0 && p.ops[len(p.ops)-1].join
		if underWay || p.state.member() && s.inc.channels.leftLately(name) {
			return true
		}
	}
	return false
}
