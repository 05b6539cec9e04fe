package sim

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// ahead is how far the clock of some connectors is ahead of that of the others.
const ahead = time.Hour

// sanction is one that is not void, with the user's mute and ban that nobody has lifted
// after it. Whatever has an end counts as lifted or not, as somebody's clock may have
// it, and is here until something takes its place.
type sanction struct {
	seq       int64
	push      rpc.SanctionedPush
	mute, ban *restriction
}

// restriction is a mute or a ban.
type restriction struct{ seq, until int64 }

// forEver says whether it has no end.
func (r *restriction) forEver() bool { return r != nil && r.until == 0 }

// may says whether it may be in force.
func (r *restriction) may() bool { return r != nil }

// sanctionsOf are the sanctions of a user, ascending.
func (ch *channel) sanctionsOf(user string) (all []sanction) {
	for _, s := range ch.sanctions {
		if s.push.User == user {
			all = append(all, s)
		}
	}
	return all
}

// stands is what stands of a user at a position.
func (ch *channel) stands(user string, seq int64) (is sanction) {
	for _, s := range ch.sanctionsOf(user) {
		if s.seq <= seq {
			is = s
		}
	}
	return is
}

// sanctioned takes a sanction.
func (ch *channel) sanctioned(seq int64, e *schema.Event) {
	of := e.GetSanction()
	is := ch.stands(of.User, seq)
	is.seq, is.push = seq, rpc.SanctionedPush{
		Channel: of.Channel, Seq: seq, User: of.User, Action: of.Action.Name(), Until: of.Until, Reason: of.Reason,
		By: rpc.Author{User: of.By.GetUser(), Key: of.By.GetKey()}, Time: e.Time,
	}
	switch of.Action {
	case schema.Sanction_ACTION_MUTE:
		is.mute = &restriction{seq, of.Until}
	case schema.Sanction_ACTION_BAN:
		is.ban = &restriction{seq, of.Until}
	case schema.Sanction_ACTION_LIFT:
		is.mute, is.ban = nil, nil
	case schema.Sanction_ACTION_LIFT_MUTE:
		is.mute, is.push.Action, is.push.Lifted = nil, rpc.SanctionLift, rpc.SanctionMute
	case schema.Sanction_ACTION_LIFT_BAN:
		is.ban, is.push.Action, is.push.Lifted = nil, rpc.SanctionLift, rpc.SanctionBan
	}
	ch.sanctions = append(ch.sanctions, is)
	if of.Action == schema.Sanction_ACTION_KICK || of.Action == schema.Sanction_ACTION_BAN {
		for session, m := range ch.members {
			if m.user == of.User {
				ch.end(session, seq)
				ch.stays[session][len(ch.stays[session])-1].forced = of.Action
			}
		}
	}
}

// set takes what somebody has set.
func (ch *channel) set(seq int64, e *schema.Event) {
	s := e.GetSet()
	now := ch.settingsAt(seq)
	now.Seq, now.Time, now.By = seq, e.Time, &rpc.Author{User: s.By.GetUser(), Key: s.By.GetKey()}
	if s.Slow != nil {
		now.Slow = *s.Slow
	}
	if s.Frozen != nil {
		now.Frozen = *s.Frozen
	}
	if s.Topic != nil {
		now.Topic = *s.Topic
	}
	if s.Data != nil {
		if now.Data = json.RawMessage("null"); len(s.Data) > 0 {
			now.Data = json.RawMessage(s.Data)
		}
	}
	ch.settings = append(ch.settings, now)
}

// sight is whether a member is shown: who joined while banned is not, and may be once
// that has ended.
type sight int

const (
	shown sight = iota
	maybe
	hidden
)

// sightOf is that of somebody who joins.
func (ch *channel) sightOf(user string, seq int64) sight {
	switch ban := ch.stands(user, seq).ban; {
	case ban.forEver():
		return hidden
	case ban.may():
		return maybe
	}
	return shown
}

// crowdNow is who is there, as far as that can be said.
func (ch *channel) crowdNow(seq int64) crowd {
	best := map[string]sight{}
	for _, m := range ch.members {
		if is, known := best[m.user]; !known || m.sight < is {
			best[m.user] = m.sight
		}
	}
	now := crowd{seq: seq}
	for user, is := range best {
		switch {
		case is == shown:
			now.users = append(now.users, user)
		case is == maybe || !ch.stands(user, seq).ban.forEver():
			now.maybe = append(now.maybe, user)
		}
	}
	slices.Sort(now.users)
	return now
}

// lists says whether these are all who are there.
func (c crowd) lists(users []string) bool {
	may := func(u string) bool { return slices.Contains(c.users, u) || slices.Contains(c.maybe, u) }
	for _, u := range c.users {
		if !slices.Contains(users, u) {
			return false
		}
	}
	return slices.IsSorted(users) && !slices.ContainsFunc(users, func(u string) bool { return !may(u) })
}

// wasForced says whether a kick or a ban has ended a stay of a session above a position.
func (ch *channel) wasForced(session string, above int64) bool {
	return slices.ContainsFunc(ch.stays[session], func(s stay) bool { return s.forced != 0 && s.to > above })
}

// moderates says whether a user is a moderator.
func moderates(user string) bool { return user == "ann" || user == "bob" || user == "dot" }

// tellsOf are the sanctions in (after, upTo] that a user hears of.
func (ch *channel) tellsOf(user string, after, upTo int64) (all []sanction) {
	for _, s := range ch.sanctions {
		if s.seq > after && s.seq <= upTo && (moderates(user) || s.push.User == user) {
			all = append(all, s)
		}
	}
	return all
}

// targets are whom moderators do things to; some are never there, and have names that
// are hard to tell apart.
var targets = []string{"ann", "bob", "cat/a", "cat/a", "cat/a", "cat", "a", "a/cat"}

// moderates does something that moderators may do.
func (c *client) moderates(channel string) {
	user, id := targets[c.w.rng.IntN(len(targets))], c.newID()
	if c.w.chance(20) {
		if m := c.repeated(); m != nil {
			c.say(*m)
			return
		}
	}
	switch k := c.w.rng.IntN(100); {
	case k < 45:
		method := rpc.MethodMute
		if c.w.chance(50) {
			method = rpc.MethodBan
		}
		p := rpc.SanctionParams{Channel: channel, User: user, ID: id, Reason: "spam"}
		if c.w.chance(40) {
			p.For = new(1 + c.w.rng.Int64N(2*ahead.Milliseconds()))
		}
		if c.w.chance(30) {
			p.Purge = new(c.w.rng.Int64N(c.w.logOf(channel).end() + 1))
		}
		c.does(method, channel, id, p)
	case k < 60:
		c.does(rpc.MethodKick, channel, id, rpc.KickParams{Channel: channel, User: user, ID: id})
	case k < 85:
		c.does(rpc.MethodLift, channel, id, rpc.LiftParams{Channel: channel, User: user, ID: id, Action: []string{"", "mute", "ban"}[c.w.rng.IntN(3)]})
	case k < 90:
		c.does(rpc.MethodPurge, channel, id, rpc.PurgeParams{Channel: channel, User: user, ID: id, Since: c.w.rng.Int64N(c.w.logOf(channel).end() + 1)})
	default:
		c.sets(channel, id)
	}
}

func (c *client) sets(channel, id string) {
	p := rpc.SetParams{Channel: channel, ID: id}
	switch c.w.rng.IntN(4) {
	case 0:
		p.Frozen = new(c.w.chance(40))
	case 1:
		p.Topic = new([]string{"", "topic " + id}[c.w.rng.IntN(2)])
	case 2:
		p.Data = json.RawMessage([]string{"null", "[1]"}[c.w.rng.IntN(2)])
	case 3:
		p.Slow = new(int64(0))
		if c.w.chance(70) {
			*p.Slow = 1
		}
	}
	c.does(rpc.MethodSet, channel, id, p)
}

// hearsSanction takes a sanction: it must be the next one of the log that the user is
// told of.
func (c *client) hearsSanction(p *rpc.SanctionedPush) {
	r, ch := c.room(p.Channel, p.Seq)
	next := ch.tellsOf(c.user, r.told, p.Seq)
	if len(next) != 1 || next[0].push != *p {
		c.w.fail("%s/%s hears of %s after %d; the log has %d there", c.user, c.session.id, text(p), r.told, len(next))
	}
	r.told = p.Seq
	c.w.count("sanctions heard")
}

// isOut takes note that a kick or a ban has put the session out of a channel, whose
// pushes it has all heard.
func (c *client) isOut(p *rpc.RemovedPush) {
	r, ch := c.room(p.Channel, p.Seq)
	if p.Reason == rpc.ReasonForbidden {
		c.removed(r)
		return
	}
	stay, had := ch.stayAt(c.session.id, p.Seq)
	want := rpc.RemovedPush{Channel: p.Channel, Seq: stay.to, Reason: rpc.LeftKicked}
	if stay.forced == schema.Sanction_ACTION_BAN {
		want.Reason, want.Until = rpc.LeftBanned, ch.sanctionAt(p.Seq).push.Until
	}
	if !had || stay.forced == 0 || *p != want {
		c.w.fail("%s/%s is told that it is out: %s, want %s", c.user, c.session.id, text(p), text(want))
	}
	c.heardAll(p.Channel, r)
	c.heardChanges(r, ch, p.Seq)
	r.member, r.asked = false, c.joins(p.Channel)
	c.w.count("removed: " + p.Reason)
}

// sanctionAt is the sanction at a position.
func (ch *channel) sanctionAt(seq int64) (is sanction) {
	for _, s := range ch.sanctions {
		if s.seq == seq {
			is = s
		}
	}
	return is
}

// muted compares what a join's result says of a mute with the log.
func (c *client) muted(ch *channel, j *rpc.JoinResult) {
	mute := ch.stands(c.user, j.Seq).mute
	if s := j.Sanction; s == nil && mute.forEver() || s != nil && (mute == nil || s.Seq != mute.seq || s.Until != mute.until) && !ch.mayBeMuted(c.user, j.Seq) {
		c.w.fail("%s/%s joins %s at %d: the sanction is %s, want %v", c.user, c.session.id, j.Channel, j.Seq, text(s), mute)
	}
	if j.Sanction != nil {
		c.w.count("joins of muted users")
	}
}

// mayBeMuted says whether a user had a mute with an end by a position, of which nobody
// knows by whose clock it has ended.
func (ch *channel) mayBeMuted(user string, seq int64) bool {
	return slices.ContainsFunc(ch.sanctionsOf(user), func(s sanction) bool {
		return s.seq <= seq && s.mute.may() && !s.mute.forEver()
	})
}

// sanctioned takes a refusal because of a mute, a ban or a freeze, which must have been
// there since the call.
func (c *client) sanctioned(call *call, bad *rpc.Error) {
	ch, action := c.w.channel(call.channel), bad.Data.Action
	c.w.count("refused: " + action)
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		is := ch.stands(c.user, at)
		switch {
		case action == rpc.SanctionBan && is.ban.may(), action == rpc.SanctionMute && is.mute.may():
			return
		case action == rpc.SanctionFrozen && ch.settingsAt(at).Frozen && !moderates(c.user):
			return
		}
	}
	if action == rpc.SanctionMute && ch.mayBeMuted(c.user, call.seen) {
		return
	}
	c.w.fail("%s/%s: %s in %s is refused: %v", c.user, c.session.id, call.method, call.channel, text(bad))
}

// slowed takes a refusal for the rate, which slow mode must have asked for.
func (c *client) slowed(call *call, bad *rpc.Error) {
	ch := c.w.channel(call.channel)
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		if ch.settingsAt(at).Slow > 0 && call.method == rpc.MethodChat && !moderates(c.user) {
			c.w.count("refused: slow")
			return
		}
	}
	c.w.fail("%s/%s: %s in %s is refused: %v", c.user, c.session.id, call.method, call.channel, bad)
}

// silent holds that nothing was taken of somebody whose connector knew of the mute, or
// of the freeze, when it was asked.
func (c *client) silent(call *call, seq int64, e *schema.Event) {
	writes := e.GetChat() != nil || e.GetChange() != nil && e.GetChange().GetDelete() == nil
	if !writes || call.seen == 0 || seq <= call.seen {
		return
	}
	ch := c.w.channel(call.channel)
	muted, frozen := ch.stands(c.user, call.seen).mute.forEver(), ch.settingsAt(call.seen).Frozen && !moderates(c.user)
	for at := call.seen; at < seq; at++ {
		muted = muted && ch.stands(c.user, at).mute.forEver()
		frozen = frozen && ch.settingsAt(at).Frozen
	}
	if muted || frozen {
		c.w.fail("%s/%s: %s in %s is taken at %d, muted: %v, frozen: %v", c.user, c.session.id, call.method, call.channel, seq, muted, frozen)
	}
}

// checkBinding compares what binds a connector's members with the log, as far as clocks
// do not matter.
func (w *world) checkBinding(n *node) {
	for _, ch := range n.inc.Channels() {
		v, truth := ch.View("", 1), w.channel(ch.Name())
		for _, c := range n.clients {
			if s, had := truth.stayAt(c.session.id, v.Seq); !had || s.to == v.Seq || truth.sightOf(c.user, s.from) != shown {
				continue
			}
			want := truth.stands(c.user, v.Seq).mute
			is, muted := ch.MuteOf(c.user, n.now())
			if want.forEver() && (!muted || is.Seq != want.seq) || want == nil && muted && is.Until == 0 {
				w.fail("%s has %s muted in %s at %d: %v, want %v", n.id, c.user, ch.Name(), v.Seq, muted, want)
			}
		}
		if want := truth.settingsAt(v.Seq); ch.Frozen() != want.Frozen || ch.Settings().Topic != want.Topic {
			w.fail("%s has the settings %s in %s at %d, want %s", n.id, text(ch.Settings()), ch.Name(), v.Seq, text(want))
		}
	}
}
