package checker

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// standing is what nobody lifted of a user's mute and ban in a channel.
type standing struct{ mute, ban *lasting }

type lasting struct {
	seq, until int64
	by, reason string
}

// lasts reports whether it is in force.
func (l *lasting) lasts(m *model) bool {
	return l != nil && (l.until == 0 || l.until > m.start.Add(m.now).UnixMilli())
}

func (p *person) moderates() bool { return p.user == "user0" || p.user == "user1" }

func (m *model) stands(channel, user string) *standing {
	s := m.standing[channel][user]
	if s == nil {
		s = &standing{}
		m.standing[channel][user] = s
	}
	return s
}

// muteOf is what a join's result says of a mute.
func (m *model) muteOf(channel, user string) *rpc.Sanction {
	mute := m.stands(channel, user).mute
	if !mute.lasts(m) {
		return nil
	}
	return &rpc.Sanction{User: user, Action: rpc.SanctionMute, Until: mute.until, Reason: mute.reason, By: rpc.Author{User: mute.by}, Seq: mute.seq}
}

// silences reports whether a session may not write in a channel.
func (m *model) silences(p *person, channel string) bool {
	return m.stands(channel, p.user).mute.lasts(m) || m.settings[channel].Frozen && !p.moderates()
}

// refuseBanned refuses the join of a banned user, which is in the log; a leave follows.
func (m *model) refuseBanned(p *person, channel string, began time.Duration, params rpc.JoinParams) {
	m.members[channel][p], p.hidden[channel] = true, true
	m.gets(p, Entry{Began: began, Op: OpJoin, Outcome: Failed, Code: rpc.CodeSanctioned, Channel: channel, Join: &params})
	m.after(time.Duration(m.rng.IntN(2000))*time.Millisecond, func() {
		if !m.members[channel][p] || !p.hidden[channel] {
			return // a ban has put it out, or a down
		}
		m.publish(p.at, channel, &schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{
			Channel: channel, Session: p.id, User: p.user, Reason: schema.Reason_REASON_BANNED,
		}}}, false)
		m.unhide(p, channel)
	})
}

func (m *model) unhide(p *person, channel string) {
	delete(m.members[channel], p)
	delete(p.hidden, channel)
}

// anyModerator is a session of a moderator; nil: there is none.
func (m *model) anyModerator() *person {
	for _, i := range m.rng.Perm(len(m.sessions)) {
		if p := m.sessions[i]; p.moderates() {
			return p
		}
	}
	return nil
}

// moderate does something that moderators do.
func (m *model) moderate(p *person) {
	if p == nil {
		return
	}
	channel := m.anyPlace(p)
	if channel == "" {
		return
	}
	user := fmt.Sprint("user", 1+m.rng.IntN(6))
	switch m.rng.IntN(8) {
	case 0, 1:
		m.restrict(p, channel, user, OpMute, schema.Sanction_ACTION_MUTE)
	case 2:
		m.restrict(p, channel, user, OpBan, schema.Sanction_ACTION_BAN)
	case 3:
		params := rpc.KickParams{Channel: channel, User: user, ID: m.newID()}
		m.sanctions(p, Entry{Op: OpKick, Kick: &params}, &schema.Sanction{Channel: channel, User: user, Id: params.ID, Action: schema.Sanction_ACTION_KICK})
	case 4, 5:
		m.lift(p, channel, user)
	case 6:
		m.set(p, channel)
	case 7:
		m.listSanctions(p, channel)
	}
}

func (m *model) restrict(p *person, channel, user string, op Op, action schema.Sanction_Action) {
	params := rpc.SanctionParams{Channel: channel, User: user, ID: m.newID(), Reason: "spam"}
	e := &schema.Sanction{Channel: channel, User: user, Id: params.ID, Action: action, Reason: params.Reason}
	if m.rng.IntN(2) == 0 {
		params.For = new(1 + m.rng.Int64N(20_000))
		e.Until = m.start.Add(m.now).UnixMilli() + *params.For
	}
	if m.rng.IntN(3) == 0 {
		params.Purge = new(m.rng.Int64N(m.asof(channel) + 1))
		e.PurgeSince = params.Purge
	}
	m.sanctions(p, Entry{Op: op, Sanction: &params}, e)
}

func (m *model) lift(p *person, channel, user string) {
	params := rpc.LiftParams{Channel: channel, User: user, ID: m.newID()}
	e := &schema.Sanction{Channel: channel, User: user, Id: params.ID, Action: schema.Sanction_ACTION_LIFT}
	switch m.rng.IntN(3) {
	case 0:
		params.Action, e.Action = rpc.SanctionMute, schema.Sanction_ACTION_LIFT_MUTE
	case 1:
		params.Action, e.Action = rpc.SanctionBan, schema.Sanction_ACTION_LIFT_BAN
	}
	m.sanctions(p, Entry{Op: OpLift, Lift: &params}, e)
}

// sanctions appends a sanction, shows it and answers it.
func (m *model) sanctions(p *person, e Entry, of *schema.Sanction) {
	of.By = &schema.Author{By: &schema.Author_User{User: p.user}}
	m.ids[actKey{of.Channel, p.user, of.Id}] = true
	event := &schema.Event{Kind: &schema.Event_Sanction{Sanction: of}}
	seq := m.publish(p.at, of.Channel, event, false)
	is := m.stands(of.Channel, of.User)
	if !is.mute.lasts(m) {
		is.mute = nil
	}
	if !is.ban.lasts(m) {
		is.ban = nil
	}
	l := &lasting{seq, of.Until, p.user, of.Reason}
	push := &rpc.SanctionedPush{Channel: of.Channel, Seq: seq, User: of.User, Action: of.Action.Name(), Until: of.Until, Reason: of.Reason, By: rpc.Author{User: p.user}, Time: event.Time}
	switch of.Action {
	case schema.Sanction_ACTION_MUTE:
		is.mute = l
	case schema.Sanction_ACTION_BAN:
		is.ban = l
	case schema.Sanction_ACTION_LIFT:
		is.mute, is.ban = nil, nil
	case schema.Sanction_ACTION_LIFT_MUTE:
		is.mute, push.Action, push.Lifted = nil, rpc.SanctionLift, rpc.SanctionMute
	case schema.Sanction_ACTION_LIFT_BAN:
		is.ban, push.Action, push.Lifted = nil, rpc.SanctionLift, rpc.SanctionBan
	}
	for _, o := range m.in(of.Channel) {
		if !o.hidden[of.Channel] && (o.moderates() || o.user == of.User) {
			m.gets(o, Entry{Op: PushSanctioned, Seq: seq, Channel: of.Channel, Sanctioned: push})
		}
	}
	if of.PurgeSince != nil {
		m.shows(of.Channel, seq, event)
	}
	e.Began, e.Outcome, e.Channel, e.Seq = m.now, OK, of.Channel, seq
	m.gets(p, e)
	switch of.Action {
	case schema.Sanction_ACTION_KICK:
		m.putOut(of, seq, schema.Reason_REASON_KICKED)
	case schema.Sanction_ACTION_BAN:
		m.putOut(of, seq, schema.Reason_REASON_BANNED)
	}
}

// putOut ends the stays of a user: all are told who left, and they that they are out.
func (m *model) putOut(of *schema.Sanction, seq int64, reason schema.Reason) {
	var out []*person
	for _, p := range m.in(of.Channel) {
		switch {
		case p.user != of.User:
		case p.hidden[of.Channel]:
			m.unhide(p, of.Channel)
		default:
			out = append(out, p)
		}
	}
	if len(out) > 0 {
		m.tell(of.Channel, Entry{Op: PushLeft, Seq: seq, Who: of.User, Reason: reasonName(reason)}, nil)
	}
	delete(m.users[of.Channel], of.User)
	for _, p := range out {
		delete(m.members[of.Channel], p)
		delete(p.places, of.Channel)
		if !p.gone {
			m.gets(p, Entry{Op: PushRemoved, Seq: seq, Channel: of.Channel, Removed: &rpc.RemovedPush{Channel: of.Channel, Seq: seq, Reason: reasonName(reason), Until: of.Until}})
		}
	}
}

func (m *model) set(p *person, channel string) {
	params := rpc.SetParams{Channel: channel, ID: m.newID()}
	now := m.settings[channel]
	e := &schema.Set{Channel: channel, Id: params.ID, By: &schema.Author{By: &schema.Author_User{User: p.user}}}
	switch m.rng.IntN(4) {
	case 0:
		now.Slow = m.rng.Int64N(3)
		params.Slow, e.Slow = new(now.Slow), new(now.Slow)
	case 1:
		now.Frozen = !now.Frozen
		params.Frozen, e.Frozen = new(now.Frozen), new(now.Frozen)
	case 2:
		now.Topic = []string{"", "tea"}[m.rng.IntN(2)]
		params.Topic, e.Topic = new(now.Topic), new(now.Topic)
	case 3:
		now.Data = json.RawMessage("null")
		params.Data, e.Data = now.Data, []byte{}
	}
	m.ids[actKey{channel, p.user, params.ID}] = true
	now.Seq = m.publish(p.at, channel, &schema.Event{Kind: &schema.Event_Set{Set: proto.CloneOf(e)}}, false)
	now.Time, now.By, now.Pins = m.start.Add(m.now).UnixMilli(), &rpc.Author{User: p.user}, slices.Clone(now.Pins)
	m.settings[channel] = now
	m.tell(channel, Entry{Op: PushSettings, Seq: now.Seq, Settings: &rpc.SettingsPush{Channel: channel, Settings: now}}, nil)
	m.gets(p, Entry{Began: m.now, Op: OpSet, Outcome: OK, Channel: channel, Seq: now.Seq, Set: &params})
}

func (m *model) listSanctions(p *person, channel string) {
	r := &rpc.SanctionsResult{}
	for i := range 8 {
		user := fmt.Sprint("user", i)
		s := m.stands(channel, user)
		if s.mute != nil {
			r.Sanctions = append(r.Sanctions, s.mute.shown(user, rpc.SanctionMute))
		}
		if s.ban != nil {
			r.Sanctions = append(r.Sanctions, s.ban.shown(user, rpc.SanctionBan))
		}
	}
	m.gets(p, Entry{Began: m.now, Op: OpSanctions, Outcome: OK, Channel: channel, Sanctions: r})
}

func (l *lasting) shown(user, action string) rpc.Sanction {
	return rpc.Sanction{User: user, Action: action, Until: l.until, Reason: l.reason, By: rpc.Author{User: l.by}, Seq: l.seq}
}
