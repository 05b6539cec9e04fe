package checker

import (
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// change is one that is not void: an edit, a deletion, a reaction or a purge.
type change struct {
	seq, time int64
	cprev     int64 // the public change before it
	of        *schema.Change
	purge     *purge // nil: of is what it is
}

// purge takes away what a user said in [since, its own seq).
type purge struct {
	by       *schema.Author
	id, user string
	since    int64
	reason   string
}

func (c *change) visibleTo(user string) bool {
	return c.purge != nil || c.of.To == "" || c.of.Author == user || c.of.To == user
}

// link reports whether it is a link of the chain of changes.
func (c *change) link() bool {
	return c.purge != nil || c.of.To == "" && c.of.GetReact() == nil
}

// listed reports whether it is shown as a change, and not as a reaction.
func (c *change) listed() bool { return c.purge != nil || c.of.GetReact() == nil }

// hits reports whether it is one of a message.
func (c *change) hits(m *message) bool {
	if m.seq >= c.seq {
		return false
	}
	if c.purge != nil {
		return c.purge.user == m.chat.User && m.seq >= c.purge.since
	}
	return c.of.Target == m.seq
}

func (c *channel) change(r Record, of *schema.Change) {
	c.changed(change{seq: r.Offset, time: r.Event.Time, cprev: c.clast, of: of})
}

func (c *channel) purge(r Record, p *purge) {
	c.changed(change{seq: r.Offset, time: r.Event.Time, cprev: c.clast, purge: p})
}

func (c *channel) changed(is change) {
	c.changes = append(c.changes, is)
	if is.link() {
		c.clast = is.seq
	}
	for i := range c.messages {
		if m := &c.messages[i]; is.hits(m) {
			m.changes = append(m.changes, is)
		}
	}
}

// clastAt is the newest public change at or below seq.
func (c *channel) clastAt(seq int64) int64 {
	i := indexAbove(c.changes, seq, seqOfChange)
	switch {
	case i == 0:
		return 0
	case c.changes[i-1].link():
		return c.changes[i-1].seq
	}
	return c.changes[i-1].cprev
}

func seqOfChange(c change) int64 { return c.seq }

// changesIn are the changes in (from, to], reactions left out, that user may see.
func (c *channel) changesIn(user string, from, to int64) []*change {
	var found []*change
	for i := indexAbove(c.changes, from, seqOfChange); i < len(c.changes) && c.changes[i].seq <= to; i++ {
		if is := &c.changes[i]; is.listed() && is.visibleTo(user) {
			found = append(found, is)
		}
	}
	return found
}

// missedChanges are the changes in (from, to] of messages at or below from. A purge
// that reaches none of these may be among them: optional tells.
func (c *channel) missedChanges(user string, from, to int64) (all []*change, optional map[int64]bool) {
	optional = map[int64]bool{}
	for _, is := range c.changesIn(user, from, to) {
		switch {
		case is.purge == nil && is.of.Target > from:
			continue
		case is.purge != nil && !slices.ContainsFunc(c.visible(user, 0, from+1), is.hits):
			optional[is.seq] = true
		}
		all = append(all, is)
	}
	return all, optional
}

// missedReactions are the names that changed in (from, to] of messages at or below
// upTo, by message.
func (c *channel) missedReactions(user string, from, to, upTo int64) map[int64][]string {
	missed := map[int64][]string{}
	for i := indexAbove(c.changes, from, seqOfChange); i < len(c.changes) && c.changes[i].seq <= to; i++ {
		is := &c.changes[i]
		if is.listed() || !is.visibleTo(user) || is.of.Target > upTo {
			continue
		}
		if name := is.of.GetReact().Name; !slices.Contains(missed[is.of.Target], name) {
			missed[is.of.Target] = append(missed[is.of.Target], name)
		}
	}
	return missed
}

// messageAt is the message at seq; nil for none.
func (c *channel) messageAt(seq int64) *message {
	i := indexAbove(c.messages, seq-1, func(m message) int64 { return m.seq })
	if i == len(c.messages) || c.messages[i].seq != seq {
		return nil
	}
	return &c.messages[i]
}

// changeAt is the change at seq; nil for none.
func (c *channel) changeAt(seq int64) *change {
	i := indexAbove(c.changes, seq-1, seqOfChange)
	if i == len(c.changes) || c.changes[i].seq != seq {
		return nil
	}
	return &c.changes[i]
}

// settingsAt are the settings at seq.
func (c *channel) settingsAt(seq int64) rpc.Settings {
	i := indexAbove(c.settings, seq, func(s rpc.SettingsPush) int64 { return s.Seq })
	if i == 0 {
		return rpc.Settings{Pins: []int64{}}
	}
	return c.settings[i-1].Settings
}

// settle begins the settings after an event.
func (c *channel) settle(r Record, by *schema.Author) *rpc.Settings {
	now := c.settingsAt(r.Offset)
	now.Seq, now.Time, now.By, now.Pins = r.Offset, r.Event.Time, &rpc.Author{User: by.GetUser(), Key: by.GetKey()}, slices.Clone(now.Pins)
	c.settings = append(c.settings, rpc.SettingsPush{Channel: c.name, Settings: now})
	return &c.settings[len(c.settings)-1].Settings
}

func (c *channel) pin(r Record, p *schema.Pin) {
	now := c.settle(r, p.By)
	now.Pins = slices.DeleteFunc(now.Pins, func(seq int64) bool { return seq == p.Target })
	if !p.Remove {
		now.Pins = slices.Insert(now.Pins, 0, p.Target)
	}
	now.Pins = now.Pins[:min(len(now.Pins), schema.MaxPins)]
}

func (c *channel) set(r Record, s *schema.Set) {
	now := c.settle(r, s.By)
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
		now.Data = slices.Clone(s.Data)
	}
}
