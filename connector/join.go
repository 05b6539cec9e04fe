package connector

import (
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	joinTimeout    = 10 * time.Second // for the log to answer a join
	firstMembers   = 200              // in a join's result
	retryAfter     = 1000             // milliseconds, in errors that say when
	defaultLimit   = 50
	maxLimit       = 300
	maxMembers     = 1000
	defaultMembers = 200
)

// joinCall is a join that waits for its result.
type joinCall struct {
	*call
	user  string
	limit int
	since int64 // -1: none
	epoch string
}

// view is what a join's result says of the channel as it is now.
func (ch *channel) view() room.View { return ch.View("", firstMembers) }

// join takes part in a channel. A join that is under way already, or a
// membership, is not repeated in the log.
func (s *session) join(channel string, j *joinCall) {
	s.mu.Lock()
	p := s.places[channel]
	if (p == nil || !p.joined()) && s.joinedChannels() >= s.inc.limits.Channels {
		s.mu.Unlock()
		j.fail(rpc.TooMany(s.inc.limits.Channels))
		return
	}
	op := p.last()
	switch {
	case op != nil && op.join:
		if len(op.asked) == 0 { // given up, and asked for again
			op.timer.Reset(joinTimeout)
		}
		op.asked = append(op.asked, j)
	case p != nil && len(p.later) > 0:
		ch := p.keepBack(&operation{join: true, asked: []*joinCall{j}})
		s.mu.Unlock()
		p.takeUp(ch)
		return
	case op == nil && p != nil && p.entered:
		s.mu.Unlock()
		p.afterJoin(j)
		return
	default:
		s.beginJoin(p, channel, j)
	}
	s.mu.Unlock()
}

// joinedChannels counts the channels that the session has joined or is
// joining. The lock is held.
func (s *session) joinedChannels() int {
	n := 0
	for _, p := range s.places {
		if p.joined() {
			n++
		}
	}
	return n
}

// beginJoin publishes a join. The lock is held.
func (s *session) beginJoin(p *place, channel string, j *joinCall) {
	if p == nil {
		p = &place{session: s, name: channel, partition: s.inc.channels.partitionOf(channel)}
	}
	op := &operation{join: true, asked: []*joinCall{j}}
	event := &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: channel, Session: s.id, User: s.user, PushPartition: int32(s.inc.pushPartition),
	}}}
	err := s.inc.events.publish(p.partition, channel, event, j.span, func(_ int64, err error) {
		if err != nil {
			p.expireJoin(op)
			s.refused(op)
		}
	})
	if err != nil {
		j.fail(rpc.Unavailable(retryAfter))
		return
	}
	op.timer = time.AfterFunc(joinTimeout, func() { p.expireJoin(op) })
	p.ops = append(p.ops, op)
	s.places[channel] = p
}

// expireJoin answers those who wait for a join, or for what follows it, with
// 1007, unless it has passed. When it passes later, a leave follows it, unless it
// was asked for again meanwhile.
func (p *place) expireJoin(op *operation) {
	s := p.session
	s.mu.Lock()
	var waiting []*operation
	if op.timer != nil {
		waiting = p.giveUp(op)
	}
	s.mu.Unlock()
	unavailable(waiting)
}

// giveUp takes out who waits for a join and for what was kept back until it
// has passed. session.mu is held.
func (p *place) giveUp(op *operation) (waiting []*operation) {
	waiting = append(waiting, &operation{asked: op.asked, behind: op.behind})
	waiting = append(waiting, p.later...)
	op.asked, op.behind, p.later = nil, nil, nil
	return waiting
}

func unavailable(waiting []*operation) {
	for _, op := range waiting {
		for _, j := range op.asked {
			j.fail(rpc.Unavailable(retryAfter))
		}
		for _, f := range op.behind {
			f.answer(nil)
		}
		if op.leave != nil {
			op.leave.fail(rpc.Unavailable(retryAfter))
		}
	}
}

// passJoin is called when the join of one of our sessions passes in the
// stream. The channel's lock is held.
func (inc *incarnation) passJoin(ch *channel, id string) {
	s := inc.sessions.get(id)
	if s == nil {
		return // it ended, and its leave is in the log already
	}
	s.mu.Lock()
	p := s.places[ch.Name()]
	var op *operation
	if p != nil {
		op = p.pass(true)
	}
	if op == nil { // its event is in the log twice, or its leave was enough
		s.mu.Unlock()
		return
	}
	if p.entered { // the leave between this join and the one before was refused
		waiting := p.giveUp(op)
		s.mu.Unlock()
		unavailable(waiting)
		return
	}
	p.entered, p.channel = true, ch
	if len(op.asked) == 0 {
		p.undoJoin(ch)
		s.mu.Unlock()
		return
	}
	p.begin(op)
	s.mu.Unlock()
	inc.answerJoin(ch, p, op)
}

// begin begins a stay in the channel at its position of now, with a result to be
// made. Both locks are held.
func (p *place) begin(op *operation) {
	ch := p.channel
	p.attach(ch)
	p.member.Leaving.Store(false)
	p.result, p.since = op, ch.Position()
	for _, f := range op.behind {
		f.passed(ch)
	}
}

// attach makes the place's session a member of the channel. Both locks are held.
func (p *place) attach(ch *channel) {
	s := p.session
	p.member.User, p.member.Outlet, p.member.Dialect = s.user, s.front, s.front.Dialect()
	ch.Attach(&p.member)
}

// undoJoin follows a join that nobody waits for with a leave; the session is
// shown nothing of it. Both locks are held.
func (p *place) undoJoin(ch *channel) {
	s := p.session
	switch {
	case s.ended:
		ch.departing = append(ch.departing, p)
	case len(p.ops) > 0: // a leave is under way
	case p.publishLeave(schema.Reason_REASON_LEAVE) != nil:
		s.front.Close(rpc.CloseLostPlace, "the log takes nothing: rejoin")
	}
}

// answerJoin makes the result of a join, and of those that follow: at once when
// the ring has it, else once history is read. The channel's lock is held.
func (inc *incarnation) answerJoin(ch *channel, p *place, op *operation) {
	for op != nil {
		v := ch.view()
		past, ok := ch.past(op.asked[0], v, inc.limits, inc.log.Epoch)
		if !ok || !p.session.front.RoomNow() {
			inc.spawn(func() { inc.answerFromHistory(ch, p, op, v) })
			return
		}
		inc.metrics.fromRing()
		var behind []follower
		if behind, op = inc.finishJoin(ch, p, op, v, past); len(behind) > 0 {
			inc.spawn(func() { answerAll(behind, ch) })
		}
	}
}

func (inc *incarnation) answerFromHistory(ch *channel, p *place, op *operation, v room.View) {
	past, sent := inc.past.recallInTurn(ch, op.asked[0], v)
	defer sent()
	ch.Lock()
	behind, next := inc.finishJoin(ch, p, op, v, past)
	inc.answerJoin(ch, p, next)
	ch.Unlock()
	answerAll(behind, ch)
}

func answerAll(behind []follower, ch *channel) {
	for _, f := range behind {
		f.answer(ch)
	}
}

// finishJoin sends the result and the pushes that follow it, and returns what
// else waits for it, and the join whose result is to be made next. The channel's
// lock is held.
func (inc *incarnation) finishJoin(ch *channel, p *place, op *operation, v room.View, past past) (behind []follower, next *operation) {
	s := p.session
	s.mu.Lock()
	defer s.mu.Unlock()
	inc.replyJoin(op.asked[0], ch, v, past)
	behind = op.behind
	for _, again := range op.asked[1:] {
		behind = append(behind, again)
	}
	op.asked, op.behind = nil, nil
	inc.metrics.deliveries.Add(ch.GoLive(&p.member))
	p.result = nil
	return behind, p.goOn()
}

func (inc *incarnation) replyJoin(j *joinCall, ch *channel, v room.View, past past) {
	inc.metrics.joined(&past)
	r := inc.joinResult(ch, v, past)
	j.reply(func(b []byte) []byte { return rpc.AppendJoinResult(b, r, past.Messages) })
}

func (j *joinCall) passed(*channel) {}

// answer answers a join of a channel that the session is in: the same kind of
// result at the newest position, and no event is published.
func (j *joinCall) answer(ch *channel) {
	if ch == nil {
		j.fail(rpc.NotJoined())
		return
	}
	inc := j.session.inc
	ch.Lock()
	v := ch.view()
	past, ok := ch.past(j, v, inc.limits, inc.log.Epoch)
	ch.Unlock()
	if ok && j.session.front.RoomNow() {
		inc.metrics.fromRing()
		inc.replyJoin(j, ch, v, past)
		return
	}
	if !j.reserve(waitBytes) {
		j.fail(rpc.Unavailable(retryAfter))
		return
	}
	inc.spawn(func() {
		past, sent := inc.past.recallInTurn(ch, j, v)
		defer sent()
		inc.replyJoin(j, ch, v, past)
	})
}

// joinResult is what a join's result says of the channel.
func (inc *incarnation) joinResult(ch *channel, v room.View, p past) *rpc.JoinResult {
	return &rpc.JoinResult{
		Channel: ch.Name(), Epoch: inc.log.Epoch, Seq: v.Seq, Last: v.Last, Members: v.Members, Count: v.Count,
		More: p.More, Partition: ch.partition, Recovered: p.recovered, Reason: p.reason, Degraded: p.degraded,
	}
}
