package checker

import (
	"sort"
	"time"

	"github.com/parley-chat/parley/schema"
)

// place is one stay of a session in a channel, as its client saw it.
type place struct {
	ch        *channel
	stay      *stay
	next      int   // index in ch.messages of what may come next
	chat      int64 // seq of the newest chat push; the join's before the first
	chain     int64 // seq of the newest public message
	highest   int64 // seq of the newest push of any kind; the join's before the first
	changes   trail // of the chain of changes
	settings  int   // index in ch.settings of what comes next
	sanctions int   // index in ch.sanctions, likewise
	notices   map[notice]int
	known     knowledge // by pushes and acknowledgements
	shown     knowledge // by pushes alone
	doubtful  bool      // a leave was not answered: it may have passed
}

// knowledge is the highest seq that a session had heard of, by time.
type knowledge []struct {
	at  time.Duration
	seq int64
}

func (k *knowledge) learn(at time.Duration, seq int64) {
	if n := len(*k); n == 0 || seq > (*k)[n-1].seq {
		*k = append(*k, struct {
			at  time.Duration
			seq int64
		}{at, seq})
	}
}

// before is the highest seq that the session had heard of before at.
func (k knowledge) before(at time.Duration) int64 {
	i := sort.Search(len(k), func(i int) bool { return k[i].at >= at })
	return k[max(0, i-1)].seq // the first is the join's
}

// learn takes note of a push or a join's result.
func (p *place) learn(at time.Duration, seq int64) {
	p.known.learn(at, seq)
	p.shown.learn(at, seq)
}

// walk follows one session through what it recorded.
func (c *check) walk(s *session) {
	places := map[string]*place{}
	for _, e := range s.entries {
		p := places[e.Channel]
		switch e.Op {
		case OpHello:
			if e.Outcome == OK && e.Connector == "" {
				c.violate(Genuine, s, "", 0, "a hello was answered without a connector")
			}
		case OpJoin:
			if e.Outcome == OK && e.Joined != nil {
				if p = c.joined(s, p, e); p != nil {
					places[e.Channel] = p
				}
			}
			c.checkRefused(s, e)
		case OpLeave:
			c.left(s, p, e)
			if e.Outcome == OK {
				delete(places, e.Channel)
			}
		case OpChat, OpEdit, OpDelete, OpReact, OpPin, OpMute, OpBan, OpKick, OpLift, OpRequested, OpSet:
			if e.Outcome == OK && p != nil {
				c.checkSilence(s, p, e)
				p.known.learn(e.At, e.Seq)
			}
			c.checkGone(s, p, e)
			c.checkRefused(s, e)
		case OpSanctions:
			if e.Outcome == OK && p != nil {
				c.checkSanctions(s, p, e)
			}
		case OpHistory:
			if e.Outcome == OK && p != nil {
				c.checkPage(s, p, e)
			}
		case OpMembers:
			if e.Outcome == OK && p != nil {
				c.checkMembers(s, p, e)
			}
		case OpReactions:
			if e.Outcome == OK && p != nil {
				c.checkReactors(s, p, e)
			}
		case OpPins:
			if e.Outcome == OK && p != nil {
				c.checkPins(s, p, e)
			}
		case PushChat:
			c.pushed(s, p, e)
		case PushChanged:
			c.pushedChange(s, p, e)
		case PushReacted:
			c.pushedReaction(s, p, e)
		case PushSettings:
			c.pushedSettings(s, p, e)
		case PushSanctioned:
			c.pushedSanction(s, p, e)
		case PushRemoved:
			c.removed(s, p, e)
			delete(places, e.Channel)
		case PushJoined, PushLeft:
			c.noticed(s, p, e)
		}
	}
	for _, p := range places {
		whole := s.end == nil && c.Drained && !p.doubtful
		if c.finish(s, p, whole); whole {
			c.checkTold(s, p)
		}
	}
}

// joined takes a join's result. It returns the place that it opens, or the one
// that was open already.
func (c *check) joined(s *session, p *place, e *Entry) *place {
	r := e.Joined
	ch := c.truth.channel(e.Channel)
	c.checkResult(s, ch, e)
	stay := ch.stayAt(s.id, r.Seq)
	switch {
	case stay == nil:
		c.violate(Genuine, s, e.Channel, r.Seq, "joined at a seq at which the log does not make it a member")
		return p
	case p != nil && p.stay == stay:
		return p // joined again
	case stay.from != r.Seq:
		c.violate(Seam, s, e.Channel, r.Seq, "the join's result is of another seq than its join, %d", stay.from)
	}
	if p != nil && !p.doubtful {
		c.checkTold(s, p)
	}
	p = &place{ch: ch, stay: stay, chat: r.Seq, chain: r.Last, highest: r.Seq, notices: map[notice]int{}}
	p.next = indexAbove(ch.messages, r.Seq, func(m message) int64 { return m.seq })
	p.changes = trail{next: indexAbove(ch.changes, r.Seq, seqOfChange), last: r.Clast}
	p.settings = indexAbove(ch.settings, r.Seq, seqOfSettings)
	p.sanctions = indexAbove(ch.sanctions, r.Seq, seqOfSanctioned)
	p.learn(e.At, r.Seq)
	return p
}

// left takes the answer to a leave.
func (c *check) left(s *session, p *place, e *Entry) {
	switch {
	case p == nil:
	case e.Outcome == Unknown:
		p.doubtful = true
	case e.Outcome == OK && (p.stay.to == 0 || !p.stay.forced && p.stay.reason != schema.Reason_REASON_LEAVE):
		c.violate(Genuine, s, e.Channel, p.stay.from, "a leave was answered that the log does not have")
	case e.Outcome == OK:
		c.finish(s, p, true)
	}
}

// pushed takes a chat push: it must be the very next message that the session
// may see.
func (c *check) pushed(s *session, p *place, e *Entry) {
	m := &e.Message.Message
	c.genuine(s, m, m.Seq)
	if !c.mayBePushed(s, p, e) {
		return
	}
	defer p.learn(e.At, m.Seq)
	if m.Seq <= p.chat {
		rule := Idempotent
		if m.Seq <= p.stay.from {
			rule = Seam
		}
		c.violate(rule, s, e.Channel, m.Seq, "pushed a message at or before the one at %d", p.chat)
		return
	}
	c.skipTo(s, p, m.Seq)
	p.chat, p.highest = m.Seq, max(p.highest, m.Seq)
	if e.Message.Prev != p.chain {
		c.violate(Complete, s, e.Channel, m.Seq, "the chain is broken: prev is %d, the public message before was at %d", e.Message.Prev, p.chain)
	}
	if m.To == "" {
		p.chain = m.Seq
	}
}

// mayBePushed checks that the session is a member at the push's seq, and that
// no later push came before it.
func (c *check) mayBePushed(s *session, p *place, e *Entry) bool {
	if p == nil {
		rule := Private
		if c.truth.channel(e.Channel).stayAt(s.id, e.Seq) != nil {
			rule = Complete // early or late by a moment
		}
		c.violate(rule, s, e.Channel, e.Seq, "a push outside of the session's membership")
		return false
	}
	if p.stay.to != 0 && e.Seq > p.stay.to {
		c.violate(Private, s, e.Channel, e.Seq, "a push after the session's leave at %d", p.stay.to)
		return false
	}
	if e.Seq < p.highest {
		rule := Complete
		if e.Seq <= p.stay.from {
			rule = Seam
		}
		c.violate(rule, s, e.Channel, e.Seq, "a push after a later one, at %d", p.highest)
		return e.Op != PushChat
	}
	return true
}

// skipTo moves the place on to the message at seq. What the session may see
// and lies before it is lost.
func (c *check) skipTo(s *session, p *place, seq int64) {
	for ; p.next < len(p.ch.messages) && p.ch.messages[p.next].seq <= seq; p.next++ {
		m := &p.ch.messages[p.next]
		if m.seq == seq || !m.visibleTo(s.user) {
			continue
		}
		rule := Complete
		if p.chat == p.stay.from {
			rule = Seam
		}
		c.violate(rule, s, p.ch.name, m.seq, "the message %q of %s was never shown", m.chat.Id, m.chat.User)
	}
}

// noticed takes a joined or left push.
func (c *check) noticed(s *session, p *place, e *Entry) {
	if !c.mayBePushed(s, p, e) {
		return
	}
	n := notice{seq: e.Seq, user: e.Who, joined: e.Op == PushJoined}
	if !n.joined {
		n.reason = reasonNamed(e.Reason)
	}
	stands := false
	for _, known := range p.ch.between(e.Seq-1, e.Seq+1) {
		known.may = false
		stands = stands || known == n
	}
	if !stands {
		c.violate(Genuine, s, e.Channel, e.Seq, "a push says that %s %s (%s), which is not in the log", e.Who, e.Op, e.Reason)
	}
	if p.notices[n]++; p.notices[n] > 1 {
		c.violate(Complete, s, e.Channel, e.Seq, "two pushes say that %s %s", e.Who, e.Op)
	}
	p.highest = max(p.highest, e.Seq)
	p.learn(e.At, e.Seq)
}

func reasonNamed(name string) schema.Reason {
	for number := range schema.Reason_name {
		if r := schema.Reason(number); r.Name() == name {
			return r
		}
	}
	return schema.Reason_REASON_UNSPECIFIED
}

// finish checks that nothing is missing from what a session was pushed: up to
// its leave or the end of the log when it is whole, else up to its last push.
func (c *check) finish(s *session, p *place, whole bool) {
	end := p.highest
	if whole {
		if end = p.stay.to; end == 0 {
			end = c.truth.end(p.ch.name)
		}
	}
	rule := func(seq int64) Rule {
		if seq > p.highest && s.end == nil && p.stay.to == 0 {
			return Drained
		}
		return Complete
	}
	for ; p.next < len(p.ch.messages) && p.ch.messages[p.next].seq < end; p.next++ {
		if m := &p.ch.messages[p.next]; m.visibleTo(s.user) {
			c.violate(rule(m.seq), s, p.ch.name, m.seq, "the message %q of %s was never shown", m.chat.Id, m.chat.User)
		}
	}
	c.finishChanges(s, p, end, rule)
	c.skipSanctions(s, p, end)
	for _, n := range p.ch.between(p.stay.from, end) {
		if !n.may && p.notices[n] == 0 {
			c.violate(rule(n.seq), s, p.ch.name, n.seq, "no push says that %s came (%t) or left", n.user, n.joined)
		}
	}
}
