package sim

import (
	"maps"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// sanctioned is a sanction in the log.
type sanctioned struct {
	seq, time int64
	*schema.Sanction
}

// binds reports whether a mute or a ban has not ended at a time.
func (x *sanctioned) binds(time int64) bool { return x != nil && (x.Until == 0 || x.Until > time) }

func authorOf(a *schema.Author) rpc.Author { return rpc.Author{User: a.GetUser(), Key: a.GetKey()} }

// standing is what nobody lifted of a user's mute and ban. What has ended goes when
// another sanction of the user comes.
type standing struct{ mute, ban *sanctioned }

func (ch *channel) standing(user string, upTo int64) (is standing) {
	for i := range ch.sanctions {
		x := &ch.sanctions[i]
		if x.User != user || x.seq > upTo {
			continue
		}
		if !is.mute.binds(x.time) {
			is.mute = nil
		}
		if !is.ban.binds(x.time) {
			is.ban = nil
		}
		switch x.Action {
		case schema.Sanction_ACTION_MUTE:
			is.mute = x
		case schema.Sanction_ACTION_BAN:
			is.ban = x
		case schema.Sanction_ACTION_LIFT:
			is = standing{}
		case schema.Sanction_ACTION_LIFT_MUTE:
			is.mute = nil
		case schema.Sanction_ACTION_LIFT_BAN:
			is.ban = nil
		}
	}
	return is
}

// mute is the newest mute of a user at a position that nobody lifted, whatever the
// clock says; nil: there is none.
func (ch *channel) mute(user string, upTo int64) (newest *sanctioned) {
	for i := range ch.sanctions {
		if x := &ch.sanctions[i]; x.User == user && x.seq <= upTo {
			switch x.Action {
			case schema.Sanction_ACTION_MUTE:
				newest = x
			case schema.Sanction_ACTION_LIFT, schema.Sanction_ACTION_LIFT_MUTE:
				newest = nil
			}
		}
	}
	return newest
}

// listed are the mutes and bans below a position of users that follow after.
func (ch *channel) listed(end int64, after string, limit int) rpc.SanctionsResult {
	var users []string
	for _, x := range ch.sanctions {
		if is := ch.standing(x.User, end-1); x.User > after && (is.mute != nil || is.ban != nil) {
			users = append(users, x.User)
		}
	}
	slices.Sort(users)
	users = slices.Compact(users)
	r := rpc.SanctionsResult{Sanctions: []rpc.Sanction{}, More: len(users) > limit}
	for _, user := range users[:min(limit, len(users))] {
		is := ch.standing(user, end-1)
		for _, x := range []*sanctioned{is.mute, is.ban} {
			if x != nil {
				r.Sanctions = append(r.Sanctions, rpc.Sanction{
					User: user, Action: x.Action.Name(), Until: x.Until, Reason: x.Reason, By: authorOf(x.By), Seq: x.seq,
				})
			}
		}
	}
	return r
}

// enter makes a session a member. Connectors with members learn of it, and show its
// user unless that is banned; one without gets the list of those there.
func (ch *channel) enter(seq, time int64, session string, m member) {
	banned := func(user string) bool { return ch.standing(user, seq).ban.binds(time) }
	ch.members[session] = m
	ch.stays[session] = append(ch.stays[session], stay{seq, still, banned(m.user)})
	ch.subscribe(seq, time, m.connector)
	for _, shown := range ch.shown {
		if !banned(m.user) {
			shown[m.user] = true
		}
	}
}

// subscribe gives a connector that has no member and does not watch the list of those
// there.
func (ch *channel) subscribe(seq, time int64, connector string) {
	if ch.shown[connector] != nil {
		return
	}
	ch.shown[connector] = map[string]bool{}
	for _, m := range ch.members {
		if !ch.standing(m.user, seq).ban.binds(time) {
			ch.shown[connector][m.user] = true
		}
	}
}

// unwatch ends a watch, if there is one.
func (ch *channel) unwatch(connector string) {
	delete(ch.watching, connector)
	ch.hide("")
}

// hide has connectors no more show a user who is gone, and those without members
// that do not watch nobody.
func (ch *channel) hide(user string) {
	users, connectors := map[string]bool{}, maps.Clone(ch.watching)
	for _, m := range ch.members {
		users[m.user], connectors[m.connector] = true, true
	}
	for connector, shown := range ch.shown {
		if !users[user] {
			delete(shown, user)
		}
		if !connectors[connector] {
			delete(ch.shown, connector)
		}
	}
}

// sanction takes a sanction. A kick and a ban end the memberships of the user.
func (ch *channel) sanction(seq, time int64, s *schema.Sanction) {
	ch.sanctions = append(ch.sanctions, sanctioned{seq, time, s})
	if s.Action != schema.Sanction_ACTION_KICK && s.Action != schema.Sanction_ACTION_BAN {
		return
	}
	for session, m := range ch.members {
		if m.user == s.User {
			ch.end(session, seq)
		}
	}
}

// putOut reports whether a user was kicked or banned after a position.
func (ch *channel) putOut(user string, after int64) bool {
	return ch != nil && slices.ContainsFunc(ch.sanctions, func(x sanctioned) bool {
		return x.User == user && x.seq > after && (x.Action == schema.Sanction_ACTION_KICK || x.Action == schema.Sanction_ACTION_BAN)
	})
}

// count is how many mutes and bans nobody has lifted at a position.
func (ch *channel) count(upTo int64) int {
	return len(ch.listed(upTo+1, "", len(ch.sanctions)).Sanctions)
}

// settingsBy are settings after a Set.
func settingsBy(seq, time int64, s *schema.Set, is rpc.Settings) rpc.Settings {
	is.Seq, is.Time, is.By = seq, time, new(authorOf(s.By))
	if s.Slow != nil {
		is.Slow = *s.Slow
	}
	if s.Frozen != nil {
		is.Frozen = *s.Frozen
	}
	if s.Topic != nil {
		is.Topic = *s.Topic
	}
	if s.Data != nil {
		if is.Data = s.Data; len(s.Data) == 0 {
			is.Data = nil
		}
	}
	return is
}

// slowSince is since which position slow mode is as it is at another one.
func (ch *channel) slowSince(upTo int64) (since int64) {
	var slow int64
	for _, s := range ch.settings {
		if s.Seq <= upTo && s.Slow != slow {
			slow, since = s.Slow, s.Seq
		}
	}
	return since
}

// wasSlow reports whether slow mode was on at some position from one on.
func (ch *channel) wasSlow(from int64) bool {
	return ch.settingsAt(from).Slow > 0 || slices.ContainsFunc(ch.settings, func(s rpc.Settings) bool { return s.Seq > from && s.Slow > 0 })
}
