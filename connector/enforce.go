package connector

import (
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Why what users ask for is refused, as the metric has it.
const (
	refusedMute   = rpc.SanctionMute
	refusedBan    = rpc.SanctionBan
	refusedFrozen = rpc.SanctionFrozen
	refusedSlow   = "slow"
	refusedFull   = "full"
)

// silenced refuses what a mute of the user or a freeze of the channel stops; nil:
// neither does. A mute is for moderators as well. Both locks are held.
func (p *place) silenced(ch *channel) *rpc.Error {
	s := p.session
	if mute, muted := ch.MuteOf(s.user, s.inc.now()); muted {
		return rpc.Sanctioned(rpc.SanctionMute, mute.Until, mute.Reason)
	}
	if ch.Frozen() && !p.moderates() {
		return rpc.Sanctioned(rpc.SanctionFrozen, 0, "")
	}
	return nil
}

// moderates reports whether the user is a moderator of the channel. session.mu is
// held.
func (p *place) moderates() bool { return p.session.allowedNow(grants.Moderate, p.name) == nil }

// refuse counts why a request is refused, and returns the answer to it.
func (m *metrics) refuse(why string, bad *rpc.Error) *rpc.Error {
	m.refused.Add(1, why)
	return bad
}

// isWriting reports whether a mute stops the act: deletions and what moderators do
// are not.
func (a *act) isWriting() bool {
	switch k := a.Event.Kind.(type) {
	case *schema.Event_Chat:
		return true
	case *schema.Event_Change:
		return k.Change.GetDelete() == nil
	}
	return false
}

// silenced refuses the act of a user who may not write now. Both locks are held.
func (a *act) silenced(ch *channel) *rpc.Error {
	if !a.isWriting() || a.session.backend != nil {
		return nil
	}
	return a.place.silenced(ch)
}

// tooSoon refuses a message that slow mode does not take yet. Both locks are held.
func (a *act) tooSoon(ch *channel) *rpc.Error {
	if a.Event.GetChat() == nil {
		return nil
	}
	if wait := ch.tooSoon(a.session.user, a.session.inc.now()); wait > 0 && !a.place.moderates() {
		return rateLimited(wait)
	}
	return nil
}

// stopped is why the act is refused before it counts for rates; nil: it is not. why is
// for the metric. Both locks are held.
func (a *act) stopped(ch *channel) (why string, bad *rpc.Error) {
	if bad := a.silenced(ch); bad != nil {
		return bad.Data.Action, bad
	}
	if bad := a.tooSoon(ch); bad != nil {
		return refusedSlow, bad
	}
	return "", nil
}

// refuse answers an act that may not be done, unless it is a retry of what was done.
// Both locks are held.
func (a *act) refuse(ch *channel, why string, bad *rpc.Error) *rpc.Error {
	if a.Retry && a.ID != nil { // which is looked up
		if bad := a.draw(); bad != nil {
			return bad
		}
	}
	a.unlessDone(ch, func() { a.fail(a.session.inc.metrics.refuse(why, bad)) })
	return nil
}

// draw takes the act from the buckets of its user, once.
func (a *act) draw() (bad *rpc.Error) {
	switch {
	case a.drawn:
		return nil
	case a.Moderates:
		bad = a.session.pace.moderation()
	default:
		bad = a.session.pace.chat(a.place.name)
	}
	a.drawn = bad == nil
	return bad
}

// full refuses what would be one more than the channel, or its partition, takes; nil:
// it is not. A mute or a ban may take the place of another, which a connector cannot
// know. The channel's lock is held.
func (a *act) full(ch *channel) *rpc.Error {
	if a.isWriting() { // most are
		return nil
	}
	return fullFor(a.Event, ch.Amounts(), ch.Settings().Seq > 0, a.session.inc.limits.Sanctions)
}

// fullFor is full, of a channel that has so much. isSet: it has settings or pins.
func fullFor(e *schema.Event, has *schema.Amounts, isSet bool, sanctions int) *rpc.Error {
	switch k := e.Kind.(type) {
	case *schema.Event_Sanction:
		if k.Sanction.Action != schema.Sanction_ACTION_MUTE && k.Sanction.Action != schema.Sanction_ACTION_BAN {
			return nil
		}
		if has.GetSanctions() >= int64(sanctions) {
			return params.FullOfSanctions(sanctions)
		}
		if has.GetAllSanctions() >= schema.MaxSanctions {
			return rpc.Full("the channel's partition has as many mutes and bans as it takes; lift some, such as those that have ended", schema.MaxSanctions)
		}
	case *schema.Event_Set, *schema.Event_Pin:
		if has.GetAllSettings() >= schema.MaxSettings && !isSet {
			return rpc.Full("as many channels of the partition have settings as it takes", schema.MaxSettings)
		}
	}
	return nil
}
