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
	if a.epoch != "" && a.epoch != a.session.inc.log.Epoch {
		return rpc.Gone()
	}
	under := ch.aims[a.target]
	if under == nil {
		if t, known := ch.Target(a.target); known && a.target <= ch.Position() {
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
	under = &aim{a.target, []*act{a}}
	if ch.aims == nil {
		ch.aims = map[int64]*aim{}
	}
	ch.aims[a.target] = under
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
	case ch.Position() < a.target && (a.target <= p.acked || s.inc.ctx.Err() != nil):
		bad = rpc.HistoryUnavailable(retryAfter) // it may well be there
	}
	if bad == nil {
		t, known := ch.Target(a.target)
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
		bad = a.tooMany(t)
	}
	if bad != nil {
		a.unlessDone(ch, func() { a.fail(bad) })
		return nil
	}
	if bad := a.full(ch); bad != nil {
		a.unlessDone(ch, func() { a.fail(a.session.inc.metrics.refuse(refusedFull, bad)) })
		return nil
	}
	if c := a.event.GetChange(); c != nil {
		c.Author, c.To = t.Author, t.To
	}
	return a.publish(ch)
}

// refusal is why the message does not take the change; nil: it does. session.mu is
// held.
func (a *act) refusal(t *room.Target) *rpc.Error {
	user := a.session.user
	seen := t.To == "" || user == t.Author || user == t.To
	if !t.Exists || t.Deleted || !seen {
		return rpc.Gone()
	}
	switch k := a.event.Kind.(type) {
	case *schema.Event_Pin:
		if t.To != "" {
			return rpc.Gone()
		}
	case *schema.Event_Change:
		if k.Change.GetReact() == nil {
			return a.asWhom(k.Change, t)
		}
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

// tooMany refuses a change that is one too many of its message. One that takes back a
// reaction counts as well where memory knows of no such reaction: it may be on its way.
func (a *act) tooMany(t *room.Target) *rpc.Error {
	l, c := &a.session.inc.limits, a.event.GetChange()
	if c.GetEdit() != nil && t.Edits >= l.Edits {
		return rpc.Full("the message has as many edits as it takes", l.Edits)
	}
	react := c.GetReact()
	if react == nil {
		return nil
	}
	seq, there := t.Reaction(a.session.user, react.Name)
	switch {
	case there:
		return nil
	case !react.Remove && !t.HasName(react.Name) && t.Names >= l.Names:
		return rpc.Full("the message has as many names of reactions as it takes", l.Names)
	case seq == 0 && t.Pairs >= l.Pairs:
		return rpc.Full("the message has as many reactions as it takes", l.Pairs)
	}
	return nil
}

// isUnchanged answers a reaction that changes nothing. A backend's is published in any
// case: what it asked for just before may have been of another connector, and not have
// passed here. Both locks are held.
func (a *act) isUnchanged(ch *channel, t *room.Target) bool {
	react := a.event.GetChange().GetReact()
	if react == nil || a.session.backend != nil || !a.place.own.settled(ch.Position()) {
		return false
	}
	seq, there := t.Reaction(a.session.user, react.Name)
	if there == react.Remove {
		return false
	}
	a.unlessDone(ch, func() { a.result(rpc.ActResult{ID: idOf(a.event), Seq: seq, Unchanged: true}) })
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
