package checker

import (
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// clocks is how far apart the clocks of those who write the log are, in milliseconds:
// what depends on the end of a sanction within that time may go either way.
const clocks = 10_000

// restriction is a mute or a ban that nobody has lifted.
type restriction struct {
	seq, until int64
	by         *schema.Author
	reason     string
}

// sure reports whether it is in force at a time by everybody's clock.
func (r *restriction) sure(time int64) bool {
	return r != nil && (r.until == 0 || r.until > time+clocks)
}

// over reports whether it is in force by nobody's clock.
func (r *restriction) over(time int64) bool {
	return r == nil || r.until != 0 && r.until <= time-clocks
}

// sanctioned is a sanction that is not void, and what is left of its user's mute and
// ban after it.
type sanctioned struct {
	seq, time int64
	of        *schema.Sanction
	mute, ban *restriction
}

func seqOfSanctioned(s sanctioned) int64 { return s.seq }

// sanction takes one: what has ended by its time goes, a mute or a ban takes the place
// of the one before, a lift takes it away. A kick and a ban end the stays of the user.
func (c *channel) sanction(r Record, of *schema.Sanction) {
	now := sanctioned{seq: r.Offset, time: r.Event.Time, of: of}
	if was := c.newestOf(of.User, r.Offset); was != nil {
		now.mute, now.ban = was.mute, was.ban
	}
	ended := func(x *restriction) bool { return x != nil && x.until != 0 && x.until <= r.Event.Time }
	if ended(now.mute) {
		now.mute = nil
	}
	if ended(now.ban) {
		now.ban = nil
	}
	is := &restriction{r.Offset, of.Until, of.By, of.Reason}
	switch of.Action {
	case schema.Sanction_ACTION_MUTE:
		now.mute = is
	case schema.Sanction_ACTION_BAN:
		now.ban = is
	case schema.Sanction_ACTION_LIFT:
		now.mute, now.ban = nil, nil
	case schema.Sanction_ACTION_LIFT_MUTE:
		now.mute = nil
	case schema.Sanction_ACTION_LIFT_BAN:
		now.ban = nil
	}
	c.sanctions = append(c.sanctions, now)
	switch of.Action {
	case schema.Sanction_ACTION_KICK:
		c.forceOut(r, of.User, schema.Reason_REASON_KICKED)
	case schema.Sanction_ACTION_BAN:
		c.forceOut(r, of.User, schema.Reason_REASON_BANNED)
	}
	if of.PurgeSince != nil {
		c.purge(r, &purge{of.By, of.Id, of.User, *of.PurgeSince, of.Reason})
	}
	c.crowdChanged(r.Offset) // a lift may show who was not shown
}

func (c *channel) forceOut(r Record, user string, why schema.Reason) {
	var out []string
	for session, s := range c.present {
		if s.user == user {
			out = append(out, session)
		}
	}
	slices.Sort(out)
	for _, session := range out {
		c.present[session].forced = true
		c.end(r, session, why, false)
	}
}

// newestOf is the newest sanction of a user up to seq; nil for none.
func (c *channel) newestOf(user string, seq int64) *sanctioned {
	for i := indexAbove(c.sanctions, seq, seqOfSanctioned) - 1; i >= 0; i-- {
		if c.sanctions[i].of.User == user {
			return &c.sanctions[i]
		}
	}
	return nil
}

// banOf and muteOf are what nobody has lifted at seq; nil for none.
func (c *channel) banOf(user string, seq int64) *restriction {
	if s := c.newestOf(user, seq); s != nil {
		return s.ban
	}
	return nil
}

func (c *channel) muteOf(user string, seq int64) *restriction {
	if s := c.newestOf(user, seq); s != nil {
		return s.mute
	}
	return nil
}

// sight is whether a user who has sessions in a channel is shown there. Who joined
// while banned is not; who joined about when a ban ends, or waits for the end of such a
// session after it was lifted, may be.
type sight int

const (
	shown sight = iota
	maybe
	hidden
)

// sightOf is that of a join.
func (c *channel) sightOf(user string, seq, time int64) sight {
	switch ban := c.banOf(user, seq); {
	case ban.over(time):
		return shown
	case ban.sure(time):
		return hidden
	}
	return maybe
}

// sees is the sight of a user who is present.
func (c *channel) sees(user string, seq int64) sight {
	all := hidden
	for _, s := range c.present {
		if s.user == user {
			all = min(all, s.sight)
		}
	}
	if ban := c.banOf(user, seq); all == hidden && (ban == nil || ban.until != 0) {
		return maybe
	}
	return all
}

// lists reports whether a list of members, of which there are count, is that of the
// crowd.
func (c crowd) lists(names []string, count int) bool {
	if !slices.IsSorted(names) || count < len(c.users) || count > len(c.users)+len(c.maybe) || len(names) != min(count, firstMembers) {
		return false
	}
	for _, name := range names {
		_, sure := slices.BinarySearch(c.users, name)
		if !sure && !slices.Contains(c.maybe, name) {
			return false
		}
	}
	return count > firstMembers || !slices.ContainsFunc(c.users, func(u string) bool { return !slices.Contains(names, u) })
}

// asPush is the sanction as those who hear of it see it.
func (s *sanctioned) asPush(channel string) rpc.SanctionedPush {
	of := s.of
	p := rpc.SanctionedPush{
		Channel: channel, Seq: s.seq, User: of.User, Action: of.Action.Name(), Until: of.Until, Reason: of.Reason,
		By: rpc.Author{User: of.By.GetUser(), Key: of.By.GetKey()}, Time: s.time,
	}
	switch of.Action {
	case schema.Sanction_ACTION_LIFT_MUTE:
		p.Action, p.Lifted = rpc.SanctionLift, rpc.SanctionMute
	case schema.Sanction_ACTION_LIFT_BAN:
		p.Action, p.Lifted = rpc.SanctionLift, rpc.SanctionBan
	}
	return p
}

// asList are the sanctions of a channel that nobody has lifted at seq, by user.
func (c *channel) asList(seq int64) (all []rpc.Sanction) {
	newest := map[string]*sanctioned{}
	var users []string
	for i := range c.sanctions[:indexAbove(c.sanctions, seq, seqOfSanctioned)] {
		s := &c.sanctions[i]
		if newest[s.of.User] == nil {
			users = append(users, s.of.User)
		}
		newest[s.of.User] = s
	}
	slices.Sort(users)
	for _, user := range users {
		s := newest[user]
		if s.mute != nil {
			all = append(all, s.mute.shown(user, rpc.SanctionMute))
		}
		if s.ban != nil {
			all = append(all, s.ban.shown(user, rpc.SanctionBan))
		}
	}
	return all
}

func (r *restriction) shown(user, action string) rpc.Sanction {
	return rpc.Sanction{
		User: user, Action: action, Until: r.until, Reason: r.reason, By: rpc.Author{User: r.by.GetUser(), Key: r.by.GetKey()}, Seq: r.seq,
	}
}

// silenced reports whether a user was muted without a break, by everybody's clock, from
// one position on up to another, at which it is a time.
func (c *channel) silenced(user string, from, to, time int64) bool {
	if !c.muteOf(user, from).sure(time) || !c.muteOf(user, to).sure(time) {
		return false
	}
	for i := indexAbove(c.sanctions, from, seqOfSanctioned); i < len(c.sanctions) && c.sanctions[i].seq <= to; i++ {
		if s := &c.sanctions[i]; s.of.User == user && !s.mute.sure(time) {
			return false
		}
	}
	return true
}

// frozen reports whether the channel was frozen without a break from one position on up
// to another.
func (c *channel) frozen(from, to int64) bool {
	is := c.settingsAt(from).Frozen
	for i := indexAbove(c.settings, from, seqOfSettings); i < len(c.settings) && c.settings[i].Seq <= to; i++ {
		is = is && c.settings[i].Frozen
	}
	return is
}

// checkBanned checks that who joined while banned has left again in time.
func (c *check) checkBanned(s *session, ch *channel, st *stay) {
	if st.sight != hidden || st.forced {
		return
	}
	left := c.since(st.ended)
	if st.to == 0 {
		left = time.Duration(1 << 62)
	}
	began := c.since(st.began)
	if st.to == 0 && !c.Drained {
		return
	}
	if left-began > c.Ghost+c.excuse(began, min(left, began+time.Hour)) && !c.faultIn(s.server, began-c.slow(silence), began+c.Ghost) {
		c.violate(Bound, s, ch.name, st.from, "it joined while its user was banned, and was not put out")
	}
}
