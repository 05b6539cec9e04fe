package room

import (
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// act applies an update that format 2 has brought.
func (c *Channel) act(p *schema.Push, u *schema.Update) error {
	switch k := u.Kind.(type) {
	case *schema.Update_Changed:
		c.changed(p, k.Changed)
	case *schema.Update_Reacted:
		c.reacted(p, k.Reacted)
	case *schema.Update_Purged:
		c.purged(p, k.Purged)
	case *schema.Update_VoidChange:
		c.replica.void(p.Offset)
	case *schema.Update_Sanctioned:
		c.sanctioned(p, k.Sanctioned)
	case *schema.Update_Removed:
		c.removed(p, k.Removed)
	case *schema.Update_Settings:
		c.set(k.Settings)
	case *schema.Update_Watched:
		c.watched(p, k.Watched)
	case *schema.Update_Unwatched:
		if k.Unwatched.Unsubscribed {
			c.abandon()
		}
	default:
		return &schema.NewerError{What: "push kind"}
	}
	return nil
}

// change has a change that is not void hit what memory has.
func (c *Channel) change(r *changes.Record) {
	c.changes.add(*r)
	c.ring.change(r)
	c.targets.change(r)
}

func (c *Channel) changed(p *schema.Push, of *schema.Changed) {
	r := changes.Record{ID: of.Id, Target: of.Target, Author: of.Author, To: of.To}
	r.Seq, r.Time, r.User, r.Key = p.Offset, p.Time, of.User, of.Key
	switch act := of.Act.(type) {
	case *schema.Changed_Edit:
		r.Edit = changes.EditOf(act.Edit)
	case *schema.Changed_Delete:
		r.Delete = &changes.Delete{Reason: act.Delete.Reason}
	}
	c.change(&r)
	c.tell(of.Author, of.To, rpc.PushChanged, &rpc.ChangedPush{Change: r.Wire(c.name), Cprev: of.Cprev})
	if of.To == "" {
		c.replica.clast = p.Offset
	}
}

func (c *Channel) reacted(p *schema.Push, of *schema.Reacted) {
	r := changes.Record{ID: of.Id, Target: of.Target, Author: of.Author, To: of.To}
	r.Seq, r.Time, r.User = p.Offset, p.Time, of.User
	r.React = &changes.React{Name: of.Name, Remove: of.Remove}
	c.change(&r)
	c.reacting.add(&r)
	if of.Target < c.ring.floor && c.targets.all[of.Target] == nil {
		c.reacting.want(of.Target)
	}
}

func (c *Channel) purged(p *schema.Push, of *schema.Purged) {
	r := changes.Record{ID: of.Id}
	r.Seq, r.Time, r.User, r.Key = p.Offset, p.Time, of.By.GetUser(), of.By.GetKey()
	r.Purge = &changes.Purge{User: of.User, Since: of.Since, Reason: of.Reason}
	c.change(&r)
	c.tell("", "", rpc.PushChanged, &rpc.ChangedPush{Change: r.Wire(c.name), Cprev: of.Cprev})
	c.replica.clast = p.Offset
}

// sanctioned notes what a member may no longer do, or may again.
func (c *Channel) sanctioned(p *schema.Push, of *schema.Sanctioned) {
	r := &c.replica
	r.amounts = of.Amounts
	switch of.Action {
	case schema.Sanction_ACTION_MUTE:
		if r.has(of.User) {
			r.mute(of.User, &schema.InForce{Seq: p.Offset, Until: of.Until, By: of.By, Reason: of.Reason})
		}
	case schema.Sanction_ACTION_LIFT, schema.Sanction_ACTION_LIFT_MUTE:
		r.mute(of.User, nil)
	}
	c.tellModerators(of.User, rpc.PushSanctioned, sanctionedPush(c.name, p, of))
}

func sanctionedPush(channel string, p *schema.Push, of *schema.Sanctioned) rpc.SanctionedPush {
	push := rpc.SanctionedPush{
		Channel: channel, Seq: p.Offset, User: of.User, Action: of.Action.Name(), Until: of.Until, Reason: of.Reason,
		By: authorOf(of.By), Time: p.Time,
	}
	switch of.Action {
	case schema.Sanction_ACTION_LIFT_MUTE:
		push.Action, push.Lifted = rpc.SanctionLift, rpc.SanctionMute
	case schema.Sanction_ACTION_LIFT_BAN:
		push.Action, push.Lifted = rpc.SanctionLift, rpc.SanctionBan
	}
	return push
}

// tellModerators pushes to a user and to those who moderate.
func (c *Channel) tellModerators(user, method string, params any) {
	for _, f := range c.fans {
		f.whisper(delivery{moderators: true, user: user, to: user}, func(b []byte) []byte {
			return f.dialect.AppendPush(b, method, params)
		})
	}
}

// removed ends all memberships of a user.
func (c *Channel) removed(p *schema.Push, of *schema.Removed) {
	c.gone(p, of.User, of.Reason)
	if of.Unsubscribed {
		c.abandon()
	}
}

func (c *Channel) set(s *schema.Settings) {
	c.replica.settings, c.replica.amounts = s, s.Amounts
	c.tell("", "", rpc.PushSettings, &rpc.SettingsPush{Channel: c.name, Settings: c.replica.shownSettings()})
}

func (c *Channel) watched(p *schema.Push, w *schema.Watched) {
	c.replica.last, c.replica.clast = w.Last, w.Clast
	if w.Subscribed {
		c.begin(p.Offset)
	}
}

// begin notes that memory knows all from an offset on: from the channel's beginning,
// where there was no message before, and no earlier epoch can have one.
func (c *Channel) begin(offset int64) {
	if c.replica.untouched && c.options.FirstEpoch != nil && c.options.FirstEpoch() {
		offset = 0
	}
	c.ring.floor, c.changes.floor = offset, offset
}
