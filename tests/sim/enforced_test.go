package sim

import (
	"maps"
	"slices"
	"time"

	chat "github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// surely reports whether a mute binds by every clock, from before until now.
func (w *world) surely(x *sanctioned) bool { return x.binds(w.now() + w.skew.Milliseconds()) }

// toldOf are the sanctions in (after, upTo] that the client gets a push of.
func (c *client) toldOf(ch *channel, after, upTo int64) []sanctioned {
	return slices.DeleteFunc(slices.Clone(ch.sanctions), func(x sanctioned) bool {
		return x.seq <= after || x.seq > upTo || x.User != c.user && !c.moderates()
	})
}

// heardSanctions holds that every sanction up to a position was heard.
func (c *client) heardSanctions(r *room, ch *channel, upTo int64) {
	if missed := c.toldOf(ch, r.told, upTo); len(missed) > 0 {
		c.w.fail("%s/%s is at %d and has never heard of the sanction at %d", c.user, c.session.id, upTo, missed[0].seq)
	}
}

// hearsSanction takes a sanction: it must be the next one of the log that the client is
// told of, and nothing else of its event has come.
func (c *client) hearsSanction(p *rpc.SanctionedPush) {
	since := c.rooms[p.Channel].since
	r, ch := c.room(p.Channel, p.Seq)
	r.since = since // the change of its purge is yet to come
	c.heardChanges(r, ch, p.Seq-1)
	next := c.toldOf(ch, r.told, p.Seq)
	if len(next) != 1 || text(pushOf(p.Channel, &next[0])) != text(p) || r.changed == p.Seq {
		c.w.fail("%s/%s hears of the sanction %s after %d; the log has %d there", c.user, c.session.id, text(p), r.told, len(next))
	}
	r.told = p.Seq
	c.w.count("sanctions heard: " + p.Action)
}

func pushOf(channel string, x *sanctioned) rpc.SanctionedPush {
	p := rpc.SanctionedPush{Channel: channel, Seq: x.seq, User: x.User, Until: x.Until, Reason: x.Reason, By: authorOf(x.By), Time: x.time}
	switch x.Action {
	case schema.Sanction_ACTION_MUTE:
		p.Action = rpc.SanctionMute
	case schema.Sanction_ACTION_BAN:
		p.Action = rpc.SanctionBan
	case schema.Sanction_ACTION_KICK:
		p.Action = rpc.SanctionKick
	case schema.Sanction_ACTION_LIFT:
		p.Action = rpc.SanctionLift
	case schema.Sanction_ACTION_LIFT_MUTE:
		p.Action, p.Lifted = rpc.SanctionLift, rpc.SanctionMute
	case schema.Sanction_ACTION_LIFT_BAN:
		p.Action, p.Lifted = rpc.SanctionLift, rpc.SanctionBan
	}
	return p
}

// sawLeave compares why somebody has left with the log.
func (c *client) sawLeave(method string, p *rpc.LeftPush) {
	if method != rpc.PushLeft {
		return
	}
	want := "" // the log has nothing of the kind there
	switch k := c.w.logOf(p.Channel).records[p.Seq].event.Kind.(type) {
	case *schema.Event_Leave:
		want = k.Leave.Reason.Name()
	case *schema.Event_Down:
		want = k.Down.Reason.Name()
	case *schema.Event_Sanction:
		want = map[schema.Sanction_Action]string{schema.Sanction_ACTION_KICK: rpc.LeftKicked, schema.Sanction_ACTION_BAN: rpc.LeftBanned}[k.Sanction.Action]
	}
	if p.Reason != want {
		c.w.fail("%s/%s sees %s leave %s at %d, reason %q, want %q", c.user, c.session.id, p.User, p.Channel, p.Seq, p.Reason, want)
	}
	c.w.count("seen to leave: " + p.Reason)
}

// expelled takes note that a kick or a ban has put the session out.
func (c *client) expelled(r *room, p *rpc.RemovedPush) {
	s := c.w.logOf(p.Channel).records[p.Seq].event.GetSanction()
	reason := map[schema.Sanction_Action]string{schema.Sanction_ACTION_KICK: rpc.LeftKicked, schema.Sanction_ACTION_BAN: rpc.LeftBanned}[s.GetAction()]
	if s.GetUser() != c.user || p.Reason != reason || p.Until != s.GetUntil() {
		c.w.fail("%s/%s is out of %s: %s; the log has %v there", c.user, c.session.id, p.Channel, text(p), s)
	}
	r.member, r.asked, r.left = false, c.joins(p.Channel), max(r.left, r.by)
	c.w.count("removed: " + p.Reason)
}

// compareMembers compares whom the client shows with the log, at a position whose
// pushes have all come.
func (c *client) compareMembers(r *room, ch *channel, name string, at int64) {
	if c.w.cfg.Limits.Presence == 1 || r.crowded {
		return
	}
	if want := ch.users(c.node.id, at); len(want) != len(r.members) || !slices.Equal(slices.Sorted(maps.Keys(r.members)), want) {
		c.w.fail("%s/%s shows %v in %s at %d, want %v", c.user, c.session.id, slices.Sorted(maps.Keys(r.members)), name, at, want)
	}
}

// checkMuted compares the mute that a join's result tells with the log.
func (c *client) checkMuted(call *call, ch *channel, j *rpc.JoinResult) {
	m, got := ch.mute(c.user, j.Seq), j.Sanction
	switch {
	case got == nil && m != nil && c.w.surely(m):
		c.w.fail("%s/%s joins %s at %d, and is not told of the mute at %d", c.user, c.session.id, j.Channel, j.Seq, m.seq)
	case got == nil:
	case !m.binds(call.at) || got.Seq != m.seq || got.User != c.user || got.Action != rpc.SanctionMute || got.Until != m.Until || got.Reason != m.Reason || got.By != authorOf(m.By):
		c.w.fail("%s/%s joins %s at %d, and gets %s; the log has %v", c.user, c.session.id, j.Channel, j.Seq, text(got), m)
	default:
		c.w.count("joined while muted")
	}
}

// writes reports whether a call is one that mutes and freezes stop.
func (call *call) writes() bool {
	return call.method == rpc.MethodChat || call.method == rpc.MethodEdit || call.method == rpc.MethodReact
}

// sanctioned takes a refusal for a sanction, which must have been in force some time
// since the call, as far as clocks agree.
func (c *client) sanctioned(call *call, why *rpc.ErrorData) {
	ch, end := c.w.channel(call.channel), c.w.logOf(call.channel).end()
	switch why.Action {
	case rpc.SanctionBan:
		for _, s := range ch.stays[c.session.id] {
			if ban := ch.standing(c.user, s.from).ban; s.banned && s.from >= call.seen && ban.Until == why.Until && ban.Reason == why.Reason {
				return
			}
		}
	case rpc.SanctionMute:
		for at := call.seen; at < end && call.writes(); at++ {
			if m := ch.mute(c.user, at); m.binds(call.at) && m.Until == why.Until && m.Reason == why.Reason {
				return
			}
		}
	case rpc.SanctionFrozen:
		for at := call.seen; at < end && call.writes() && !c.moderates(); at++ {
			if ch.settingsAt(at).Frozen {
				return
			}
		}
	}
	c.w.fail("%s/%s: %s in %s, asked for at %d, is refused: %s", c.user, c.session.id, call.method, call.channel, call.seen, text(why))
}

// undone takes that a retry is refused: when it was asked for, the log had no first try.
func (c *client) undone(call *call) {
	l, act := c.w.logOf(call.channel), call.channel+"\x00"+c.user+"\x00"+idOf(call.params)
	for seq := max(0, l.end()-voidWindow); seq < call.end && isRetry(call.params); seq++ {
		if r := l.records[seq]; r.event != nil && !r.void && actOf(r.event) == act {
			c.w.fail("%s/%s: a retry of %s %s in %s is refused, which was carried out at %d", c.user, c.session.id, call.method, idOf(call.params), call.channel, seq)
		}
	}
}

// tooSoon takes a refusal by slow mode, which must have been set some time since the
// call.
func (c *client) tooSoon(call *call, why *rpc.ErrorData) {
	ch := c.w.channel(call.channel)
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		if slow := ch.settingsAt(at).Slow; call.method == rpc.MethodChat && !c.moderates() && why.Retry > 0 && why.Retry <= slow*1000 {
			return
		}
	}
	c.w.fail("%s/%s: %s in %s, asked for at %d, is refused as too soon: %s", c.user, c.session.id, call.method, call.channel, call.seen, text(why))
}

// takesModerate reports whether a call is one of moderators alone.
func (call *call) takesModerate() bool {
	switch call.method {
	case rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge, rpc.MethodSet, rpc.MethodSanctions, rpc.MethodPin:
		return true
	}
	return false
}

// lacksModerate reports whether a call takes the right of a moderator, which the
// client's user has not.
func (c *client) lacksModerate(call *call) bool {
	var target int64
	switch p := call.params.(type) {
	case rpc.EditParams:
		target = p.Seq
	case rpc.DeleteParams:
		target = p.Seq
	}
	m := c.w.channel(call.channel).message(target)
	return !c.moderates() && (call.takesModerate() || m != nil && m.User != c.user)
}

// full reports of which positions since the call the channel had as many mutes and bans
// as it takes.
func (c *client) full(call *call, upTo int64) (some, all bool) {
	ch := c.w.channel(call.channel)
	all = call.method == rpc.MethodMute || call.method == rpc.MethodBan
	if !all {
		return false, false
	}
	for at := call.seen; at < upTo; at++ {
		full := ch.count(at) >= c.w.cfg.Limits.Sanctions
		some, all = some || full, all && full
	}
	return some, all
}

// checkDone holds that what the log has acknowledged was allowed: what the client had
// seen when it asked, its connector had, too.
func (c *client) checkDone(call *call, seq int64) {
	if c.lacksModerate(call) {
		c.w.fail("%s/%s: %s %s is carried out for a user who may not moderate", c.user, c.session.id, call.method, text(call.params))
	}
	if !call.fresh || !call.member || seq <= call.seen {
		return
	}
	if _, full := c.full(call, seq); full {
		c.w.fail("%s/%s: %s %s is done in %s, which is full", c.user, c.session.id, call.method, text(call.params), call.channel)
	}
	ch := c.w.channel(call.channel)
	silent, slow := call.writes(), call.method == rpc.MethodChat && !c.moderates() && c.w.skew == 0
	for at := call.seen; at < seq; at++ {
		silent = silent && (c.w.surely(ch.mute(c.user, at)) || ch.settingsAt(at).Frozen && !c.moderates())
		slow = slow && c.spokeLately(call, ch, at)
	}
	if silent {
		c.w.fail("%s/%s: %s is done at %d of %s, where all that time from %d on it was muted, or the channel frozen", c.user, c.session.id, call.method, seq, call.channel, call.seen)
	}
	if slow {
		c.w.fail("%s/%s speaks too soon at %d of %s", c.user, c.session.id, seq, call.channel)
	}
}

// spokeLately reports whether by the settings at a position the user must wait, for a
// message that the connector has seen, or has found in history.
func (c *client) spokeLately(call *call, ch *channel, at int64) bool {
	wait, since := ch.settingsAt(at).Slow*1000, ch.slowSince(at)
	return wait > 0 && slices.ContainsFunc(ch.messages, func(m rpc.Message) bool {
		return m.User == c.user && m.Seq > since && m.Seq <= call.seen && m.Time+wait > c.w.now() &&
			(m.Seq > call.joined || !c.w.trouble && ch.said(m.Seq, call.joined) <= c.w.cfg.Limits.Recover)
	})
}

// said is how many messages there are above a position up to another.
func (ch *channel) said(above, upTo int64) (n int) {
	for i := range ch.messages {
		if seq := ch.messages[i].Seq; above < seq && seq <= upTo {
			n++
		}
	}
	return n
}

// sanctionList takes an answer to sanctions, which must be right at some position from
// the one that the session knows of on.
func (c *client) sanctionList(call *call, x *rpc.SanctionsResult) {
	p := call.params.(rpc.SanctionsParams)
	for end := call.least + 1; end <= c.w.logOf(call.channel).end(); end++ {
		if text(c.w.channel(call.channel).listed(end, p.After, *p.Limit)) == text(x) {
			c.w.count("sanctions listed")
			return
		}
	}
	c.w.fail("%s/%s gets %s in %s after %q, as at no time", c.user, c.session.id, text(x), call.channel, p.After)
}

// checkBinding compares what binds a connector's members with the log, at a position.
func (w *world) checkBinding(n *node, ch *chat.Channel, truth *channel, at int64) {
	if got, want := ch.Settings(), truth.settingsAt(at); !sameSettings(got, want) {
		w.fail("%s has settings %s of %s at %d, want %s", n.id, text(got), ch.Name(), at, text(want))
	}
	if _, got := ch.Slow(); got != truth.slowSince(at) {
		w.fail("%s counts for slow mode in %s at %d from %d on, not %d", n.id, ch.Name(), at, got, truth.slowSince(at))
	}
	if got, want := ch.Amounts().GetSanctions(), truth.count(at); got != int64(want) {
		w.fail("%s has %d sanctions of %s at %d, want %d", n.id, got, ch.Name(), at, want)
	}
	for session, m := range truth.members {
		if stay, _ := truth.stayAt(session, at); m.connector != n.id || stay.banned || stay.from == 0 || stay.to <= at {
			continue
		}
		mute, want := truth.mute(m.user, at), rpc.Sanction{}
		got, muted := ch.MuteOf(m.user, time.Now())
		if mute != nil {
			want = rpc.Sanction{User: m.user, Action: rpc.SanctionMute, Until: mute.Until, Reason: mute.Reason, By: authorOf(mute.By), Seq: mute.seq}
		}
		if muted && (got != want || !mute.binds(w.now())) || !muted && mute != nil && w.surely(mute) {
			w.fail("%s has %s muted in %s at %d: %v, %+v; the log has %+v", n.id, m.user, ch.Name(), at, muted, got, want)
		}
	}
}
