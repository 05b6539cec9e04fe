package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// targetTime is for how long the message of a change is waited for, which the
// connector has not seen yet.
const targetTime = 5 * time.Second

// aim is a message that is waited for, or looked up, for all changes of it that
// come meanwhile: they keep their order. Guarded by the channel's lock.
type aim struct {
	seq  int64
	acts []*act
}

// aim publishes a change if its message is known, or finds it first. What comes
// after it does not wait, unless it changes the same message. Both locks are held.
func (a *act) aim(ch *channel) *rpc.Error {
	if a.Epoch != "" && a.Epoch != a.session.inc.log.Epoch {
		return rpc.Gone()
	}
	under := ch.aims[a.Target]
	if under == nil {
		if t, known := ch.Target(a.Target); known && a.Target <= ch.Position() {
			return a.hit(ch, &t)
		}
	}
	if bad := a.keep(); bad != nil {
		return bad
	}
	if under != nil {
		under.acts = append(under.acts, a)
		return nil
	}
	under = &aim{a.Target, []*act{a}}
	if ch.aims == nil {
		ch.aims = map[int64]*aim{}
	}
	ch.aims[a.Target] = under
	a.session.inc.spawn(func() { under.find(ch, a) })
	return nil
}

// find finds the message on behalf of the first who asked, and has all go on.
func (m *aim) find(ch *channel, first *act) {
	bad := first.session.inc.past.target(ch, first, m.seq)
	ch.Lock()
	defer ch.Unlock()
	delete(ch.aims, m.seq)
	for _, a := range m.acts {
		a.goOn(ch, bad)
	}
}

// goOn publishes a change whose message was found, if its session is still in the
// channel. The channel's lock is held.
func (a *act) goOn(ch *channel, bad *rpc.Error) {
	s, p := a.session, a.place
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		a.abandon()
		return
	}
	switch out := p.out(ch); {
	case out != nil:
		bad = out
	case bad == nil:
		if bad = s.allowedNow(a.takes, p.name); bad == nil {
			if bad := a.silenced(ch); bad != nil {
				a.unlessDone(ch, func() { a.fail(s.inc.metrics.refuse(bad.Data.Action, bad)) })
				return
			}
		}
	case ch.Position() < a.Target && (a.Target <= p.acked || s.inc.ctx.Err() != nil):
		bad = rpc.HistoryUnavailable(retryAfter) // it may well be there
	}
	if bad == nil {
		t, known := ch.Target(a.Target)
		if bad = rpc.HistoryUnavailable(retryAfter); known {
			bad = a.hit(ch, &t)
		}
	}
	if bad != nil {
		a.fail(bad)
	}
}

// out refuses what was asked for in a stay in the channel that is over, or about to be.
// Both locks are held.
func (p *place) out(ch *channel) *rpc.Error {
	switch {
	case p.channel != ch || p.member.Leaving.Load():
		return rpc.NotJoined()
	case p.expelled:
		return rpc.Forbidden(grants.Join.String(), p.name)
	}
	return nil
}

// hit publishes a change of a message, or refuses it. Both locks are held.
func (a *act) hit(ch *channel, t *room.Target) *rpc.Error {
	bad := a.refusal(t)
	if bad == nil && a.isUnchanged(ch, t) {
		return nil
	}
	if bad == nil {
		bad = t.TooMany(a.Event.GetChange(), a.session.user, &a.session.inc.limits)
	}
	if bad != nil {
		a.unlessDone(ch, func() { a.fail(bad) })
		return nil
	}
	if bad := a.full(ch); bad != nil {
		a.unlessDone(ch, func() { a.fail(a.session.inc.metrics.refuse(refusedFull, bad)) })
		return nil
	}
	if c := a.Event.GetChange(); c != nil {
		c.Author, c.To = t.Author, t.To
	}
	return a.publish(ch)
}

// refusal is why the message does not take the change; nil: it does. session.mu is
// held.
func (a *act) refusal(t *room.Target) *rpc.Error {
	if bad := t.Takes(a.Event, a.session.user); bad != nil {
		return bad
	}
	if c := a.Event.GetChange(); c != nil && c.GetReact() == nil {
		return a.asWhom(c, t)
	}
	return nil
}

// asWhom refuses an edit or a deletion by a user who may not do that, and notes
// whether they do as a moderator.
func (a *act) asWhom(c *schema.Change, t *room.Target) *rpc.Error {
	s, channel := a.session, a.place.name
	age := time.Duration(s.inc.limits.EditAge) * time.Millisecond
	own := t.Author == s.user
	young := age == 0 || time.Since(time.UnixMilli(t.Time)) <= age
	if own && young {
		return nil
	}
	c.Moderator = s.allowedNow(grants.Moderate, channel) == nil
	switch {
	case c.Moderator:
		return nil
	case own:
		return rpc.TooOld(a.takes.String(), channel)
	}
	return rpc.Forbidden(grants.Moderate.String(), channel)
}

// isUnchanged answers a reaction that changes nothing. A backend's is published in any
// case: what it asked for just before may have been of another connector, and not have
// passed here. Both locks are held.
func (a *act) isUnchanged(ch *channel, t *room.Target) bool {
	react := a.Event.GetChange().GetReact()
	if react == nil || a.session.backend != nil || !a.place.own.settled(ch.Position()) {
		return false
	}
	seq, there := t.Reaction(a.session.user, react.Name)
	if there == react.Remove {
		return false
	}
	a.unlessDone(ch, func() { a.result(rpc.ActResult{ID: idOf(a.Event), Seq: seq, Unchanged: true}) })
	return true
}

// target sees to it that memory knows a message, of which nobody knows yet whether
// it is there. A nil error: it does, as of a position from seq on.
func (x *reader) target(ch *channel, by *act, seq int64) *rpc.Error {
	ctx, cancel := context.WithTimeout(by.within(x.inc.ctx), targetTime)
	defer cancel()
	if !x.awaitTarget(ctx, ch, seq) {
		return rpc.Gone()
	}
	ctx, cancel = context.WithTimeout(by.within(x.inc.ctx), x.inc.cfg.HistoryTime)
	defer cancel()
	done, err := x.shares.await(ctx, by.session.reads())
	if err == nil {
		defer done()
		err = x.loadTarget(ctx, ch, seq)
	}
	if err != nil {
		x.noHistory.warn(ctx, x.inc.logger, fmt.Errorf("look up a message that is to be changed: %w", err))
		return rpc.HistoryUnavailable(retryAfter)
	}
	return nil
}

// awaitTarget waits until the channel has passed seq.
func (x *reader) awaitTarget(ctx context.Context, ch *channel, seq int64) bool {
	ch.Lock()
	reached := ch.Reached(seq)
	ch.Unlock()
	select {
	case <-reached:
	case <-ctx.Done():
	}
	ch.Lock()
	defer ch.Unlock()
	ch.StopWaiting(reached)
	return ch.Position() >= seq
}
