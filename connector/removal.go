package connector

import "github.com/parley-chat/parley/schema/rpc"

// passRemoval is called when a kick or a ban passes in the stream that has ended one of
// our memberships. What the session has asked for meanwhile goes on as of somebody who
// is not in the channel: a leave has had its way, a join that follows it, or the leave
// that is on its way, makes a member again. The channel's lock is held.
func (s *session) passRemoval(ch *channel, push rpc.RemovedPush) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[ch.Name()]
	if p == nil || !p.state.member() {
		return
	}
	ch.detach(p)
	p.channel = nil
	p.removals++
	before := p.state
	switch p.on(memberRemoved); before {
	case catchingUp:
		p.removed = push // after the result
		return
	case live:
		p.tellRemoved(push)
	case leaving, rejoining, quitting: // its leave will pass, and changes nothing
		if op := p.pass(false); op != nil && op.leave != nil {
			op.leave.result(rpc.Empty{})
		}
	}
	p.goOnOutside()
}

// tellRemoved tells the client that it is out, unless it has asked to be. session.mu is
// held.
func (p *place) tellRemoved(push rpc.RemovedPush) {
	if !p.session.ended && len(p.later) == 0 {
		p.session.front.Push(rpc.PushRemoved, push)
	}
}

// closeAfter ends a place that was put out, after the result of its join. Both locks
// are held.
func (p *place) closeAfter(followers []follower) {
	p.tellRemoved(p.removed)
	for _, f := range followers {
		f.refused(rpc.NotJoined())
	}
	p.goOnOutside()
}

// goOnOutside goes on with what was kept back in a place whose membership was ended:
// leaves have had their way, and a join begins again. A place without is forgotten.
// session.mu is held.
func (p *place) goOnOutside() {
	s := p.session
	if p.state != absent {
		return // a join is on its way, and goes on with it
	}
	delete(s.places, p.name)
	later := p.later
	p.later = nil
	for i, op := range later {
		if !op.join {
			op.leave.result(rpc.Empty{})
			continue
		}
		if p.publishJoin(op) {
			p.later = later[i+1:]
		} else {
			unavailable(later[i:])
		}
		break
	}
	if s.ended && len(s.places) == 0 {
		s.inc.sessions.forget(s)
	}
}
