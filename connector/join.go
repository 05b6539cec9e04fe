package connector

import (
	"cmp"
	"slices"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/eventlog"
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
	since *int64 // what the client has seen; nil: nothing is to be recovered
	epoch string
	// Of a join of a channel that the session is in.
	place    *place
	removals int // of the place by then
	// recent: the user has no history, and gets messages only where those missed
	// are as recent as limits.grace.
	recent bool
}

// viewFor is what a join's result says of the channel as it is now.
func (ch *channel) viewFor(s *session) room.View {
	m := s.front.Manner()
	v := ch.View("", cmp.Or(m.Members, firstMembers))
	v.Members = shown(v.Members, m, 4)
	if mute, muted := ch.MuteOf(s.user, s.inc.now()); muted {
		v.Sanction = &mute
	}
	return v
}

// join takes part in a channel. A join that is under way already, or a
// membership, is not repeated in the log.
func (s *session) join(channel string, j *joinCall) {
	s.mu.Lock()
	p := s.places[channel]
	if (p == nil || !p.joined()) && s.places.joined() >= s.inc.limits.Channels {
		s.mu.Unlock()
		j.fail(rpc.TooMany(s.inc.limits.Channels))
		return
	}
	op := p.last()
	switch {
	case op != nil && op.join:
		if !op.awaited() { // given up, and asked for again
			op.timer.Reset(joinTimeout)
		}
		op.asked = append(op.asked, j)
	case p != nil && len(p.later) > 0:
		ch := p.keepBack(&operation{join: true, asked: []*joinCall{j}})
		s.mu.Unlock()
		p.takeUp(ch)
		return
	case p != nil && p.state == putOut: // which its client is about to be told
		s.mu.Unlock()
		j.fail(rpc.NotJoined())
		return
	case op == nil && p != nil && p.state.member():
		j.place, j.removals = p, p.removals
		s.mu.Unlock()
		p.afterJoin(j)
		return
	default:
		if p == nil {
			p = &place{session: s, name: channel, partition: s.inc.channels.partitionOf(channel)}
		}
		if op := (&operation{join: true, asked: []*joinCall{j}}); !p.publishJoin(op) {
			unavailable([]*operation{op})
		}
	}
	s.mu.Unlock()
}

// publishJoin publishes a join; false: the log takes nothing. session.mu is held.
func (p *place) publishJoin(op *operation) bool {
	s := p.session
	event := &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: p.name, Session: s.id, User: s.user, PushPartition: int32(s.inc.pushPartition),
	}}}
	err := s.inc.events.publish(p.partition, p.name, event, op.asked[0].span, func(a eventlog.Ack) {
		if a.Err != nil {
			p.expireJoin(op)
			p.refuse(op)
		}
	})
	if err != nil {
		return false
	}
	op.timer = time.AfterFunc(joinTimeout, func() { p.expireJoin(op) })
	p.ops = append(p.ops, op)
	p.on(joinPublished)
	s.places[p.name] = p
	return true
}

// expireJoin answers those who wait for a join, or for what follows it, with
// 1007, unless it has passed. When it passes later, a leave follows it, unless it
// was asked for again meanwhile.
func (p *place) expireJoin(op *operation) {
	s := p.session
	s.mu.Lock()
	var waiting []*operation
	if !op.passed {
		waiting = p.giveUp(op)
	}
	s.mu.Unlock()
	unavailable(waiting)
}

// giveUp takes out who waits for a join and for what was kept back until it
// has passed. session.mu is held.
func (p *place) giveUp(op *operation) (waiting []*operation) {
	waiting = append(waiting, &operation{asked: op.asked, followers: op.followers})
	waiting = append(waiting, p.later...)
	op.asked, op.followers, p.later = nil, nil, nil
	return waiting
}

func unavailable(waiting []*operation) {
	for _, op := range waiting {
		for _, j := range op.asked {
			j.fail(rpc.Unavailable(retryAfter))
		}
		for _, f := range op.followers {
			f.refused(rpc.Unavailable(retryAfter))
		}
		if op.leave != nil {
			op.leave.fail(rpc.Unavailable(retryAfter))
		}
	}
}

// passJoin is called when the join of one of our sessions passes in the
// stream. The channel's lock is held.
func (s *session) passJoin(ch *channel, joined *schema.Joined) {
	s.mu.Lock()
	p := s.places[ch.Name()]
	var op *operation
	if p != nil {
		op = p.pass(true)
	}
	switch {
	case op == nil: // its event is in the log twice, or its leave was enough
		s.mu.Unlock()
	case !op.awaited():
		p.channel = ch
		p.undoJoin(reasonToUndo(joined))
		s.mu.Unlock()
	case joined.Banned != nil:
		p.channel = ch
		p.refuseAll(op, s.inc.metrics.refuse(refusedBan, rpc.Sanctioned(rpc.SanctionBan, joined.Banned.Until, joined.Banned.Reason)))
		p.undoJoin(reasonToUndo(joined))
		s.mu.Unlock()
	default:
		p.channel = ch
		p.on(joinPassed)
		p.begin(op)
		s.mu.Unlock()
		p.answerJoin(ch, op)
	}
}

// begin begins a stay in the channel at its position of now, with a result to be
// made. Both locks are held.
func (p *place) begin(op *operation) {
	s, ch := p.session, p.channel
	p.member.User, p.member.Outlet, p.member.Dialect = s.user, s.front, s.front.Dialect()
	p.member.Sends = s.front.Manner().Sends
	p.member.Moderates.Store(s.allowedNow(grants.Moderate, p.name) == nil)
	ch.Attach(&p.member)
	p.result, p.since, p.expelled = op, ch.Position(), false
	op.followers = slices.DeleteFunc(op.followers, func(f follower) bool { return f.passed(ch) })
}

func reasonToUndo(joined *schema.Joined) schema.Reason {
	if joined.Banned != nil {
		return schema.Reason_REASON_BANNED
	}
	return schema.Reason_REASON_LEAVE
}

// undoJoin follows a join that nobody waits for with a leave; the session is
// shown nothing of it. Both locks are held.
func (p *place) undoJoin(reason schema.Reason) {
	s := p.session
	switch p.on(joinUnwanted); {
	case p.state == leaving: // its leave is on its way
	case s.ended:
		p.channel.departing = append(p.channel.departing, p)
	case p.publishLeave(reason) != nil:
		s.front.Close(rpc.CloseLostPlace, "the log takes nothing: rejoin")
	}
}

// answerJoin makes the result of a join, and of those that follow: at once when
// memory has it, else once history is read. The channel's lock is held.
func (p *place) answerJoin(ch *channel, op *operation) {
	inc := p.session.inc
	for op != nil {
		v := ch.viewFor(p.session)
		past, ok := ch.past(op.asked[0], v, p.session.limits(), inc.log.Epoch)
		if !ok || !p.session.front.RoomNow() {
			inc.spawn(func() { p.answerFromHistory(ch, op, v) })
			return
		}
		inc.metrics.fromRing()
		var followers []follower
		if followers, op = p.finishJoin(ch, op, v, past); len(followers) > 0 {
			inc.spawn(func() { answerAll(followers, ch) })
		}
	}
}

func (p *place) answerFromHistory(ch *channel, op *operation, v room.View) {
	past, sent := p.session.inc.past.recallInTurn(ch, op.asked[0], v)
	defer sent()
	ch.Lock()
	followers, next := p.finishJoin(ch, op, v, past)
	p.answerJoin(ch, next)
	ch.Unlock()
	answerAll(followers, ch)
}

func answerAll(followers []follower, ch *channel) {
	for _, f := range followers {
		f.answer(ch)
	}
}

// finishJoin sends the result and the pushes that follow it, and returns what
// else waits for it, and the join whose result is to be made next. The channel's
// lock is held.
func (p *place) finishJoin(ch *channel, op *operation, v room.View, past past) (followers []follower, next *operation) {
	s := p.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if bad := s.allowedNow(grants.Join, p.name); bad != nil && (p.state == catchingUp || p.state == putOut) {
		p.refuseJoin(ch, op, bad)
		return nil, nil
	}
	op.asked[0].send(ch, v, past)
	followers = op.followers
	for _, again := range op.asked[1:] {
		again.place, again.removals = p, p.removals
		followers = append(followers, again)
	}
	op.asked, op.followers = nil, nil
	s.inc.metrics.deliveries.Add(ch.GoLive(&p.member))
	switch p.result = nil; p.state {
	case catchingUp:
		p.on(resultSent)
		return followers, p.goOn()
	case putOut:
		p.on(resultSent)
		p.closeAfter(followers)
		return nil, nil
	} // else the session has ended, and leaves
	return followers, nil
}

func (j *joinCall) passed(*channel) bool { return false }

func (j *joinCall) refused(bad *rpc.Error) { j.fail(bad) }

// answer answers a join of a channel that the session is in: the same kind of
// result at the newest position, and no event is published.
func (j *joinCall) answer(ch *channel) {
	inc := j.session.inc
	ch.Lock()
	v := ch.viewFor(j.session)
	past, ok := ch.past(j, v, j.session.limits(), inc.log.Epoch)
	ch.Unlock()
	if ok && j.session.front.RoomNow() {
		inc.metrics.fromRing()
		j.sendAgain(ch, v, past)
		return
	}
	if !j.reserve(waitBytes) {
		j.fail(rpc.Unavailable(retryAfter))
		return
	}
	inc.spawn(func() {
		past, sent := inc.past.recallInTurn(ch, j, v)
		defer sent()
		j.sendAgain(ch, v, past)
	})
}

// sendAgain sends the result of a join of a channel that the session is in. Once
// the session was put out of it, the client has to know that it is out.
func (j *joinCall) sendAgain(ch *channel, v room.View, p past) {
	s := j.session
	ch.Lock()
	defer ch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	bad := s.allowedNow(grants.Join, ch.Name())
	switch {
	case bad != nil:
	case j.place.removals != j.removals:
		bad = rpc.NotJoined()
	case j.place.expelled:
		bad = rpc.Forbidden(grants.Join.String(), ch.Name())
	}
	if bad != nil {
		j.fail(bad)
		return
	}
	j.send(ch, v, p)
}

// send sends the result of a join.
func (j *joinCall) send(ch *channel, v room.View, p past) {
	inc := j.session.inc
	if j.recent {
		p = p.since(time.Now().UnixMilli() - int64(inc.limits.Grace))
	}
	inc.metrics.joined(&p)
	r := rpc.JoinResult{
		Channel: ch.Name(), Epoch: inc.log.Epoch, Seq: v.Seq, Last: v.Last, Members: v.Members, Count: v.Count,
		More: p.More, Asof: max(p.Asof, v.Seq), Clast: v.Clast, Changes: p.Changes, Reacted: p.Reacted, Mine: p.Mine,
		Settings: v.Settings, Sanction: v.Sanction, Partition: ch.partition, Recovered: p.recovered, Reason: p.reason, Degraded: p.degraded,
	}
	j.reply(func(b []byte) []byte { return rpc.AppendJoinResult(b, &r, p.Messages) })
}
