package room

import (
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// binding is what binds a channel's members. The zero value binds nobody.
type binding struct {
	settings *schema.Settings // nil: nobody set any
	amounts  *schema.Amounts  // nil: all are 0
	mutes    map[string]*schema.InForce
}

// mute keeps a user's mute; with nil there is none any more. One that has ended stays
// until another comes: the clock decides for those who ask.
func (b *binding) mute(user string, m *schema.InForce) {
	if m == nil {
		delete(b.mutes, user)
		return
	}
	if b.mutes == nil {
		b.mutes = map[string]*schema.InForce{}
	}
	b.mutes[user] = m
}

// shownSettings are the settings as clients see them.
func (b *binding) shownSettings() rpc.Settings {
	s := b.settings
	if s == nil {
		return rpc.Settings{Pins: []int64{}}
	}
	shown := rpc.Settings{
		Seq: s.Seq, Time: s.Time, Slow: s.Slow, Frozen: s.Frozen, Topic: s.Topic, Data: s.Data, Pins: s.Pins,
	}
	if s.By != nil {
		by := authorOf(s.By)
		shown.By = &by
	}
	if shown.Pins == nil {
		shown.Pins = []int64{}
	}
	return shown
}

func authorOf(a *schema.Author) rpc.Author { return rpc.Author{User: a.GetUser(), Key: a.GetKey()} }

// MuteOf is the mute that a member is under at a time; false: none. Of users who have
// no session here, it need not be known.
func (c *Channel) MuteOf(user string, now time.Time) (rpc.Sanction, bool) {
	m := c.replica.mutes[user]
	if m == nil || m.Until != 0 && m.Until <= now.UnixMilli() {
		return rpc.Sanction{}, false
	}
	return rpc.Sanction{
		User: user, Action: rpc.SanctionMute, Until: m.Until, Reason: m.Reason, By: authorOf(m.By), Seq: m.Seq,
	}, true
}

// Settings are what moderators have set of the channel.
func (c *Channel) Settings() rpc.Settings { return c.replica.shownSettings() }

// Frozen reports whether moderators alone may write.
func (c *Channel) Frozen() bool { return c.replica.settings.GetFrozen() }

// Slow is how long a user waits between two messages, and the seq of the setting from
// which on they count; 0: not at all.
func (c *Channel) Slow() (wait time.Duration, from int64) {
	s := c.replica.settings
	return time.Duration(s.GetSlow()) * time.Second, s.GetSlowSince()
}

// NewestOf is the newest message of a user above a seq as far as memory knows, and
// when it was written, in Unix milliseconds; seq 0: there is none.
func (c *Channel) NewestOf(user string, above int64) (seq, time int64) {
	for i := len(c.ring.entries) - 1; i >= 0 && c.ring.entries[i].seq > above; i-- {
		if e := &c.ring.entries[i]; e.user == user {
			return e.seq, e.time
		}
	}
	return 0, 0
}

// Reaches reports whether memory has all messages above a seq, or as many as it would
// keep of them.
func (c *Channel) Reaches(seq int64) bool { return c.ring.floor <= seq+1 || c.ring.full() }

// Amounts are how much the channel and its partition have of what is bounded; nil:
// nothing.
func (c *Channel) Amounts() *schema.Amounts { return c.replica.amounts }
