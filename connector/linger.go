package connector

import (
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// A connector that gets its first member of a channel is sent the whole list of
// members. Where its last one comes and goes, that list would be written each
// time. So in a large channel that the connector has left a moment ago the leave
// of its last session lingers before it is published, and a join that follows
// takes it back: the log never knows of either.
const (
	lingerFor    = 5 * time.Second
	lingerWindow = time.Minute // from one time that the channel is left to the next
	lingerAbove  = 100         // users in the channel
)

// leftLately reports whether the connector has left a large channel of that
// name a moment ago.
func (inc *incarnation) leftLately(name string) bool {
	inc.mu.RLock()
	defer inc.mu.RUnlock()
	at, known := inc.left[name]
	return known && time.Since(at) < lingerWindow
}

// forgetLeft forgets channels that were left long ago.
func (inc *incarnation) forgetLeft(now time.Time) {
	inc.mu.Lock()
	defer inc.mu.Unlock()
	for name, at := range inc.left {
		if now.Sub(at) >= lingerWindow {
			delete(inc.left, name)
		}
	}
}

// linger keeps a leave back, and reports whether it does.
func (s *session) linger(name string, c *call) bool {
	s.mu.Lock()
	p := s.places[name]
	var ch *channel
	if p != nil {
		ch = p.channel
	}
	s.mu.Unlock()
	if ch == nil || !s.inc.leftLately(name) {
		return false
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.places[name] != p || p.channel != ch || len(p.ops) > 0 || p.result != nil || len(ch.members) > 1 {
		return false
	}
	p.ops = append(p.ops, &operation{leave: c, lingers: time.Now().Add(lingerFor)})
	s.lingering++
	return true
}

// lingers reports whether the last operation is a leave that is kept back.
// session.mu is held.
func (p *place) lingers() bool {
	n := len(p.ops)
	return n > 0 && !p.ops[n-1].lingers.IsZero()
}

// publishLingering publishes the leaves that have lingered long enough. The
// lock is held.
func (s *session) publishLingering(now time.Time) {
	if s.lingering == 0 {
		return
	}
	for _, p := range s.inOrder() {
		if p.lingers() && !now.Before(p.ops[0].lingers) {
			_ = s.publishLingerer(p) // else at the next round
		}
	}
}

// publishLingerer publishes a place's leave that was kept back. The lock is
// held.
func (s *session) publishLingerer(p *place) error {
	op := p.ops[0]
	if err := s.sendLeave(p, op, schema.Reason_REASON_LEAVE); err != nil {
		return err
	}
	op.lingers = time.Time{}
	s.lingering--
	return nil
}

// rejoin takes a leave that was kept back: it is answered, as if it had passed,
// and so is the join, at the position of now. It is false when there is none
// any more. Only the connection's reading goroutine calls it.
func (s *session) rejoin(p *place, ch *channel, j *joinCall) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s.mu.Lock()
	if !p.lingers() || p.channel != ch {
		s.mu.Unlock()
		return false
	}
	left := p.ops[0].leave
	op := &operation{join: true, asked: []*joinCall{j}}
	p.ops, p.result, p.since = nil, op, ch.replica.position
	s.lingering--
	ch.detach(p)
	left.result(rpc.Empty{})
	ch.attach(p)
	s.mu.Unlock()
	s.inc.answerJoin(ch, p, op, ch.view())
	return true
}

// lingersAtEnd reports whether the session's leaves wait for its user to come
// back although it ended in order: a channel would be left and entered at each
// connection. The lock is held.
func (s *session) lingersAtEnd() bool {
	for name, p := range s.places {
		if p.member && s.inc.leftLately(name) {
			return true
		}
	}
	return false
}
