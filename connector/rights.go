package connector

import (
	"errors"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// rights are what a session's user may do: by their token, by the file of grants,
// by the rules and by tokens of channels. session.mu guards them.
type rights struct {
	claim    grants.List
	file     *grants.List // as of when matcher was compiled
	record   uint64       // of the rules, likewise
	rules    uint64       // the version of the rules that have it
	matcher  *grants.Matcher
	compiled bool // matcher has claim
	looked   bool // at the session's channels, with all that matcher has
}

// open are the rights of everybody where users are not authenticated.
var open = grants.Open()

// allowed refuses what the user may not do in a channel.
func (s *session) allowed(a grants.Action, channel string) *rpc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.allowedNow(a, channel)
}

// allowedNow is allowed, where session.mu is held.
func (s *session) allowedNow(a grants.Action, channel string) *rpc.Error {
	if s.backend != nil {
		return s.backend.allowed(a, channel)
	}
	if missing, ok := s.matcher().Check(a, channel, time.Now()); !ok {
		return rpc.Forbidden(missing.String(), channel)
	}
	return nil
}

// placeFor is place, for a user who may do something there.
func (s *session) placeFor(a grants.Action, channel string) (*place, *rpc.Error) {
	if bad := s.allowed(a, channel); bad != nil {
		return nil, bad
	}
	return s.place(channel)
}

// matcher is compiled once for a token, and again when the file or the rules have
// changed.
// session.mu is held.
func (s *session) matcher() *grants.Matcher {
	if s.inc.cfg.Auth == nil {
		return open
	}
	r := &s.rights
	if !s.rightsChanged() {
		return r.matcher
	}
	r.rules, r.record = s.inc.rules.version.Load(), s.inc.rules.table.GrantSerial(s.user)
	lists := []grants.List{r.claim}
	if r.file = s.inc.cfg.Grants.list(); r.file != nil {
		lists = append(lists, *r.file)
	}
	if r.record != 0 {
		list, _ := s.inc.rules.granted(s.user)
		lists = append(lists, list)
	}
	if r.matcher == nil {
		r.matcher = grants.Compile(s.user, lists...)
	} else { // what tokens of channels grant stays
		r.matcher = r.matcher.Replace(lists...)
	}
	r.compiled, r.looked = true, false
	return r.matcher
}

// rightsChanged reports whether what the matcher was compiled of is there no more.
// session.mu is held.
func (s *session) rightsChanged() bool {
	r := &s.rights
	if !r.compiled || r.file != s.inc.cfg.Grants.list() {
		return true
	}
	version := s.inc.rules.version.Load()
	if r.rules != version && r.record == s.inc.rules.table.GrantSerial(s.user) {
		r.rules = version
	}
	return r.rules != version
}

// review ends the session where the rules have come to want that, and takes it
// out of channels whose right has ended. Without a change it costs next to
// nothing.
func (s *session) review(now time.Time) {
	version := s.inc.rules.version.Load()
	s.mu.Lock()
	here := s.user != "" && !s.ended
	changed := here && s.judged != version
	if changed {
		s.judged = version
	}
	lookAt := here && s.inc.cfg.Auth != nil && s.toLookAt(now, changed)
	s.mu.Unlock()
	if changed {
		if v := s.judge(now); v != nil {
			s.front.Close(v.code, v.reason)
			return
		}
	}
	if lookAt {
		s.forbid()
	}
}

// toLookAt drops channel tokens that have run out, or were revoked, and reports
// whether rights have changed since the session's channels were looked at: a
// request may have taken notice before the housekeeping. session.mu is held.
func (s *session) toLookAt(now time.Time, revoked bool) bool {
	r := &s.rights
	if r.matcher != nil {
		var dropped bool
		r.matcher, dropped = r.matcher.Without(func(t grants.Timed) bool {
			return !now.Before(t.Until) || revoked && s.inc.rules.revoked(s.user, identity.Stamp{ID: t.Token, Issued: t.Issued})
		})
		r.looked = r.looked && !dropped
	}
	if len(s.places) == 0 || !s.rightsChanged() && r.looked {
		return false
	}
	s.matcher()
	r.looked = true
	return true
}

// mayJoin checks the rights to a channel, that it may be used, and rates. A token
// is rated before it is verified, which costs more than anything else here.
func (c *call) mayJoin(p *rpc.JoinParams) *rpc.Error {
	s := c.session
	if p.Token != "" {
		if bad := s.pace.join(); bad != nil {
			return bad
		}
		if bad := s.admit(p.Channel, p.Token); bad != nil {
			return bad
		}
	}
	if bad := s.allowed(grants.Join, p.Channel); bad != nil {
		return bad
	}
	if bad := c.checkChannel(p.Channel); bad != nil || p.Token != "" {
		return bad
	}
	return s.pace.join()
}

// admit takes a channel token that came with a join. One that is refused changes
// nothing.
func (s *session) admit(channel, token string) *rpc.Error {
	if s.inc.cfg.tokens == nil {
		return nil
	}
	pass, err := s.inc.cfg.tokens.VerifyChannel(token, s.user, channel)
	switch {
	case errors.Is(err, identity.ErrLater):
		return rpc.BadChannelToken(err.Error(), rpc.ReasonRetry, retryAfter)
	case errors.Is(err, identity.ErrExpired):
		return rpc.BadChannelToken(err.Error(), rpc.ReasonExpired, 0)
	case err != nil:
		return rpc.BadChannelToken(err.Error(), rpc.ReasonInvalid, 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inc.rules.revoked(s.user, pass.Stamp) {
		return rpc.BadChannelToken("the token is revoked", rpc.ReasonRevoked, 0)
	}
	s.rights.matcher = s.matcher().With(pass.Timed(channel), time.Now())
	s.rights.looked = false // it may grant less than the one before
	return nil
}

// forbid takes the session out of the channels that its user may no longer join, and
// notes where they moderate. It may run on any goroutine.
func (s *session) forbid() {
	s.mu.Lock()
	var lost []*place
	for _, p := range s.places.inOrder() {
		p.member.Moderates.Store(s.allowedNow(grants.Moderate, p.name) == nil)
		if p.channel != nil && s.allowedNow(grants.Join, p.name) != nil {
			lost = append(lost, p)
		}
	}
	s.mu.Unlock()
	for _, p := range lost {
		p.forbid()
	}
}

// forbid takes the session out of a channel that its user may no longer join: it
// gets no push from now on, and is told. A join whose result is being made is
// refused with that result.
func (p *place) forbid() { p.withChannel(p.expel) }

// expel is forbid, where both locks are held.
func (p *place) expel(ch *channel) {
	s := p.session
	if s.ended || p.state == catchingUp || s.allowedNow(grants.Join, p.name) == nil {
		return
	}
	ch.Expel(&p.member)
	p.expelled = true
	if p.state == live && len(p.later) == 0 { // else it has asked to leave
		s.front.Push(rpc.PushRemoved, rpc.RemovedPush{Channel: p.name, Seq: ch.Position(), Reason: rpc.ReasonForbidden})
		p.depart()
	}
}

// refuseJoin answers a join whose result was being made when its user lost the
// right to it, and what waits for that result, and leaves the channel. Both
// locks are held.
func (p *place) refuseJoin(ch *channel, op *operation, bad *rpc.Error) {
	ch.Expel(&p.member)
	p.expelled, p.result = true, nil
	p.refuseAll(op, bad)
	if p.state == putOut {
		p.on(resultSent)
		p.goOnOutside()
		return
	}
	p.depart()
}

// refuseAll answers a join, what waits for its result, and what was kept back, with an
// error. A leave has its way. session.mu is held.
func (p *place) refuseAll(op *operation, bad *rpc.Error) {
	waiting := append([]*operation{{asked: op.asked, followers: op.followers}}, p.later...)
	op.asked, op.followers, p.later = nil, nil, nil
	for _, op := range waiting {
		for _, j := range op.asked {
			j.fail(bad)
		}
		for _, f := range op.followers {
			f.refused(bad)
		}
		if op.leave != nil {
			op.leave.result(rpc.Empty{})
		}
	}
}

// depart publishes the leave of a session that was put out of its channel. Both
// locks are held.
func (p *place) depart() {
	if p.publishLeave(schema.Reason_REASON_FORBIDDEN) != nil {
		p.session.front.Close(rpc.CloseLostPlace, "the log takes nothing: rejoin")
	}
}
