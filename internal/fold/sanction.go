package fold

import (
	"slices"

	"github.com/parley-chat/parley/schema"
)

// sanction is what nobody lifted of a user's mute and ban; one of them is there. Time
// ends them for readers, but removes them only when another sanction of the user comes.
type sanction struct{ mute, ban *restriction }

// restriction is a mute or a ban. A worker keeps many.
type restriction struct {
	seq, until int64
	by         author
	reason     string
}

// author is who acted.
type author struct {
	name string
	key  bool // of the API
}

func authorOf(a *schema.Author) author {
	if key := a.GetKey(); key != "" {
		return author{key, true}
	}
	return author{a.GetUser(), false}
}

func (a author) proto() *schema.Author {
	if a.key {
		return &schema.Author{By: &schema.Author_Key{Key: a.name}}
	}
	return &schema.Author{By: &schema.Author_User{User: a.name}}
}

func restrictionOf(r *schema.InForce) *restriction {
	if r == nil {
		return nil
	}
	return &restriction{r.Seq, r.Until, authorOf(r.By), r.Reason}
}

func (r *restriction) proto() *schema.InForce {
	if r == nil {
		return nil
	}
	return &schema.InForce{Seq: r.seq, Until: r.until, By: r.by.proto(), Reason: r.reason}
}

// at is the restriction if it is in force at a time.
func (r *restriction) at(time int64) *restriction {
	if r == nil || r.until != 0 && r.until <= time {
		return nil
	}
	return r
}

func (s sanction) state() *schema.StateSanction {
	return &schema.StateSanction{Mute: s.mute.proto(), Ban: s.ban.proto()}
}

func (s sanction) count() (n int64) {
	if s.mute != nil {
		n++
	}
	if s.ban != nil {
		n++
	}
	return n
}

// sanction notes what a user may no longer do, or may again. A kick and a ban end
// all of the user's memberships that exist here; nothing but these four, join, leave,
// down, kick and ban, decides who is a member.
func (s *step) sanction(e *schema.Sanction) {
	ch := s.fold.channel(e.Channel)
	s.note(ch, e)
	updates := []*schema.Update{{Channel: ch.name, Kind: &schema.Update_Sanctioned{Sanctioned: &schema.Sanctioned{
		User: e.User, By: authorOf(e.By).proto(), Id: e.Id, Action: e.Action, Until: e.Until, Reason: e.Reason,
		Amounts: s.fold.amounts(ch),
	}}}}
	if e.PurgeSince != nil {
		updates = append(updates, s.purged(ch, &schema.Purge{User: e.User, By: e.By, Id: e.Id, Since: *e.PurgeSince, Reason: e.Reason}))
	}
	switch e.Action {
	case schema.Sanction_ACTION_KICK:
		s.forceOut(ch, e, schema.Reason_REASON_KICKED, updates)
	case schema.Sanction_ACTION_BAN:
		s.forceOut(ch, e, schema.Reason_REASON_BANNED, updates)
	default:
		s.show(ch, updates...)
	}
	s.fold.release(ch)
}

// note changes what is kept of the user. What has ended goes.
func (s *step) note(ch *channel, e *schema.Sanction) {
	is := s.fold.moreOf(ch.name).sanctions[e.User]
	is.mute, is.ban = is.mute.at(s.time), is.ban.at(s.time)
	r := &restriction{s.offset, e.Until, authorOf(e.By), e.Reason}
	switch e.Action {
	case schema.Sanction_ACTION_MUTE:
		is.mute = r
	case schema.Sanction_ACTION_BAN:
		is.ban = r
	case schema.Sanction_ACTION_LIFT:
		is = sanction{}
	case schema.Sanction_ACTION_LIFT_MUTE:
		is.mute = nil
	case schema.Sanction_ACTION_LIFT_BAN:
		is.ban = nil
	}
	s.fold.keepSanction(ch, e.User, is)
	s.fold.dirty.sanction(ch.name, e.User)
}

// keepSanction puts a user's sanction in the place of the one before.
func (f *Fold) keepSanction(ch *channel, user string, is sanction) {
	m := ch.extra()
	was := m.sanctions[user]
	f.sanctions += is.count() - was.count()
	m.count += is.count() - was.count()
	if is.count() == 0 {
		delete(m.sanctions, user)
		ch.tidy()
		return
	}
	if m.sanctions == nil {
		m.sanctions = map[string]sanction{}
	}
	m.sanctions[user] = is
}

// forceOut ends all memberships of the user and says so after the updates.
func (s *step) forceOut(ch *channel, e *schema.Sanction, reason schema.Reason, updates []*schema.Update) {
	sessions := ch.sessionsBy(e.User)
	if len(sessions) == 0 {
		s.show(ch, updates...)
		return
	}
	receivers := ch.receivers(nil)
	unsubscribed := map[*connector]bool{}
	for c, of := range sessions {
		slices.Sort(of)
		for _, session := range of {
			_, unsubscribed[c] = s.remove(ch, session)
		}
	}
	removed := func(sessions []string) *schema.Update {
		return &schema.Update{Channel: ch.name, Kind: &schema.Update_Removed{Removed: &schema.Removed{
			User: e.User, Sessions: sessions, Reason: reason, Until: e.Until, Count: int64(len(ch.users)),
		}}}
	}
	others := append(slices.Clip(updates), removed(nil))
	for _, c := range receivers {
		if sessions[c] == nil {
			s.push(c, others)
			continue
		}
		own := slices.Clone(updates)
		for _, part := range chunks(sessions[c], s.fold.limit-headroom, userSize) {
			own = append(own, removed(part))
		}
		own[len(own)-1].GetRemoved().Unsubscribed = unsubscribed[c]
		s.push(c, own)
	}
}

// inForce is what is in force for a user at the time of the event.
func (s *step) inForce(ch *channel, user string) (mute, ban *schema.InForce) {
	if ch.more == nil {
		return nil, nil
	}
	is := ch.more.sanctions[user]
	return is.mute.at(s.time).proto(), is.ban.at(s.time).proto()
}

// banned are the users present who are banned at the time of the event, sorted: each
// joined again after the ban.
func (s *step) banned(ch *channel) (users []string) {
	if ch.more == nil {
		return nil
	}
	for user, is := range ch.more.sanctions {
		if ch.users[user] > 0 && is.ban.at(s.time) != nil {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

// Sanctions is how many mutes and bans nobody has lifted, of all channels.
func (f *Fold) Sanctions() int64 { return f.sanctions }

// amounts are how much there is of what is bounded; nil: nothing.
func (f *Fold) amounts(ch *channel) *schema.Amounts {
	if f.sanctions == 0 && f.settings == 0 {
		return nil
	}
	a := &schema.Amounts{AllSanctions: f.sanctions, AllSettings: f.settings}
	if ch.more != nil {
		a.Sanctions = ch.more.count
	}
	return a
}
