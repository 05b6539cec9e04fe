package connector

import (
	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// act is a request that becomes an event of its channel: a message, a change of one,
// or what a moderator does.
type act struct {
	*call
	params.Act
	place  *place
	takes  grants.Action
	drawn  bool    // it was taken from the buckets
	speech *speech // of a message that slow mode may count; nil: it does not
}

// begin takes an act up: at once, or once the join that is under way has passed.
func (a *act) begin() *rpc.Error {
	p, bad := a.session.placeFor(a.takes, a.Channel)
	if bad != nil {
		return bad
	}
	if a.ID == nil {
		made := ulid.Make().String()
		a.Name(made)
	} else {
		a.Name(*a.ID)
	}
	a.place = p
	if done, bad := a.screened(); done || bad != nil {
		return bad
	}
	p.afterJoin(a)
	return nil
}

// passed takes the act up. What the user may do may have changed while it waited.
func (a *act) passed(ch *channel) bool {
	if bad := a.take(ch); bad != nil {
		a.fail(bad)
	}
	return true
}

func (a *act) answer(*channel) {}

func (a *act) refused(bad *rpc.Error) { a.fail(bad) }

// keep counts the act's bytes until it is answered: it waits.
func (a *act) keep() *rpc.Error {
	if !a.reserve(proto.Size(a.Event)) {
		return rpc.Unavailable(retryAfter)
	}
	return nil
}

// take publishes the act, or answers it otherwise, or has it wait for its target or for
// history. Both locks are held.
func (a *act) take(ch *channel) *rpc.Error {
	if done, bad := a.settled(ch); done || bad != nil {
		return bad
	}
	if a.isUnsure(ch) {
		return a.judgeLater(ch)
	}
	if bad := a.draw(); bad != nil {
		return bad
	}
	if a.Target != 0 {
		return a.aim(ch)
	}
	if a.Epoch != "" && a.Epoch != a.session.inc.log.Epoch {
		return rpc.Gone()
	}
	if bad := a.full(ch); bad != nil {
		a.unlessDone(ch, func() { a.fail(a.session.inc.metrics.refuse(refusedFull, bad)) })
		return nil
	}
	return a.publish(ch)
}

// settled answers what is decided before rates count: what the user may not do now, and
// what was done before. done: it is answered. Both locks are held.
func (a *act) settled(ch *channel) (done bool, bad *rpc.Error) {
	p := a.place
	if bad := a.session.allowedNow(a.takes, p.name); bad != nil {
		return false, bad
	}
	if bad := p.out(ch); bad != nil {
		return false, bad
	}
	if a.isKnown(ch) {
		return true, nil
	}
	if a.Reply > max(ch.Position(), p.acked) {
		return false, params.NoReply()
	}
	if why, bad := a.stopped(ch); bad != nil {
		bad = a.refuse(ch, why, bad)
		return bad == nil, bad
	}
	return false, nil
}

// isKnown answers an act whose id is known. Without retry only what this session
// has seen counts. Both locks are held.
func (a *act) isKnown(ch *channel) bool {
	if a.ID == nil || a.session.backend != nil { // memory has the ids of clients
		return false
	}
	id := *a.ID
	if e, ok := ch.Find(a.session.user, id, a.session.inc.limits.Recover); ok && (a.Retry || e.Seq > a.place.since) {
		a.result(rpc.ActResult{ID: id, Seq: e.Seq, Time: e.Time})
		return true
	}
	if r, ok := a.place.own.find(id); ok && (!a.Retry || ch.stands(r.Seq)) {
		a.result(r)
		return true
	}
	return false
}

// publish publishes the act. Both locks are held.
func (a *act) publish(ch *channel) *rpc.Error {
	p := a.place
	reaction := a.Event.GetChange().GetReact() != nil
	now := a.session.inc.now()
	if a.Lasts > 0 {
		a.Event.GetSanction().Until = now.Add(a.Lasts).UnixMilli()
	}
	if a.Event.GetChat() != nil {
		a.speech = ch.speaks(a.session.user, now)
	}
	err := a.session.inc.events.publish(p.partition, p.name, a.Event, a.span, func(ack eventlog.Ack) { a.stored(ch, ack, reaction) })
	if err != nil {
		a.speech.answered(eventlog.Ack{Err: err})
		return rpc.Unavailable(retryAfter)
	}
	if reaction {
		p.own.reacting++
	}
	return nil
}

// stored answers an act that the log has acknowledged, or refused. It runs on the
// producer's goroutine.
func (a *act) stored(ch *channel, ack eventlog.Ack, reaction bool) {
	s, p := a.session, a.place
	r := rpc.ActResult{ID: idOf(a.Event), Seq: ack.Offset, Time: a.Event.Time}
	a.speech.answered(ack)
	s.mu.Lock()
	if ack.Err == nil {
		p.acked = max(p.acked, ack.Offset)
		p.own.note(a, r)
	}
	if reaction {
		p.own.reacted(ack)
	}
	s.mu.Unlock()
	switch {
	case ack.Err != nil:
		a.fail(rpc.Unavailable(retryAfter))
	case a.Retry || ack.Twice:
		s.inc.spawn(func() { a.tell(ch, r) })
	default:
		a.result(r)
	}
}

func idOf(e *schema.Event) string {
	act, _ := e.Act()
	return act.ID
}
