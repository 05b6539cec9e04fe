package connector

import (
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// cutGrace is how long the user of a cut connection has to come back before
	// the channel sees that they left.
	cutGrace     = 5 * time.Second
	leaveTimeout = 10 * time.Second // for the log to answer a leave
)

// leaveChannel ends the session's membership once the leave has passed.
func (s *session) leaveChannel(channel string, c *call) {
	s.mu.Lock()
	p := s.places[channel]
	if p == nil || !p.joined() {
		again := p.askAgain(c)
		s.mu.Unlock()
		if !again {
			c.fail(rpc.NotJoined())
		}
		return
	}
	ch := p.keepBack(&operation{leave: c})
	s.mu.Unlock()
	p.takeUp(ch)
}

// askAgain has c wait for a leave that was given up, and reports whether there
// is one. session.mu is held.
func (p *place) askAgain(c *call) bool {
	op := p.last()
	if op == nil || !op.givenUp {
		return false
	}
	op.leave, op.givenUp = c, false
	op.timer.Reset(leaveTimeout)
	return true
}

// expireLeave answers a leave with 1007, unless it has passed. It is in the log
// all the same.
func (p *place) expireLeave(op *operation) {
	s := p.session
	s.mu.Lock()
	c := op.leave
	if op.passed || c == nil {
		s.mu.Unlock()
		return
	}
	op.leave, op.givenUp = nil, true
	s.mu.Unlock()
	c.fail(rpc.Unavailable(retryAfter))
}

// publishLeave publishes a leave that nobody asked for. session.mu is held.
func (p *place) publishLeave(reason schema.Reason) error {
	op := new(operation)
	if err := p.sendLeave(op, reason); err != nil {
		return err
	}
	p.ops = append(p.ops, op)
	p.on(leavePublished)
	return nil
}

// sendLeave publishes the event of a leave. session.mu is held.
func (p *place) sendLeave(op *operation, reason schema.Reason) error {
	s := p.session
	c := op.leave
	event := &schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{
		Channel: p.name, Session: s.id, User: s.user, Reason: s.inc.reasonFor(p.name, reason),
	}}}
	var within tracing.Span
	if c != nil {
		within = c.span
	}
	err := s.inc.events.publish(p.partition, p.name, event, within, func(a eventlog.Ack) {
		if a.Err != nil {
			p.expireLeave(op)
			p.refuse(op)
			return
		}
		s.mu.Lock()
		op.stored = true
		s.mu.Unlock()
	})
	if err != nil {
		return err
	}
	if c != nil {
		op.timer = time.AfterFunc(leaveTimeout, func() { p.expireLeave(op) })
	}
	return nil
}

// passLeave is called when the leave of one of our sessions passes in the
// stream. ch is nil when the connector has no member of the channel; else its
// lock is held.
func (s *session) passLeave(ch *channel, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[name]
	if p == nil {
		return
	}
	op := p.pass(false)
	if op == nil {
		return
	}
	p.end(ch, op)
	if s.ended && len(s.places) == 0 {
		s.inc.sessions.forget(s)
	}
}

// end ends a membership whose leave has passed. Both locks are held.
func (p *place) end(ch *channel, op *operation) {
	if ch != nil {
		ch.detach(p)
	}
	p.channel = nil
	if p.on(leavePassed); p.state == absent {
		delete(p.session.places, p.name)
	}
	if op.leave != nil {
		op.leave.result(rpc.Empty{})
	}
}

// userIsBack publishes the waiting leaves of sessions of a user who is in the
// channel again: nobody sees them. The channel's lock is held.
func (ch *channel) userIsBack(j *schema.Joined) {
	for _, p := range ch.departing {
		if p.session.user != j.User || p.session.id == j.Session {
			continue
		}
		p.session.mu.Lock()
		p.leaveNow()
		p.session.mu.Unlock()
	}
}

// leaveNow publishes an ended session's leave unless it is under way. The
// session's lock is held. A leave that cannot be published is tried again at
// the next round of housekeeping.
//
// Once the leave is in the log, a place whose join has not passed is forgotten:
// the join comes before the leave, or is not in the log, and then no push may
// ever mention either.
func (p *place) leaveNow() {
	s := p.session
	op := p.last()
	switch {
	case p.state == putOut: // it is out already
	case op == nil || op.join:
		_ = p.publishLeave(s.reason)
	case op.refused:
		again := new(operation)
		if p.sendLeave(again, s.reason) == nil {
			p.ops[len(p.ops)-1] = again
		}
	case op.stored && p.state == withdrawing && s.places[p.name] == p:
		p.on(leaveStored)
		delete(s.places, p.name)
	}
}
