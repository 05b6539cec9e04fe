package checker

import (
	"reflect"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// trail is how far a session has heard the changes of a channel.
type trail struct {
	next int   // index in the channel's changes of what may come next
	last int64 // the newest public change
}

func seqOfSettings(s rpc.SettingsPush) int64 { return s.Seq }

// asPush is the change as an answer has it.
func (c *change) asPush(channel string) rpc.Change {
	shown := rpc.Change{Channel: channel, Seq: c.seq, Time: c.time}
	if p := c.purge; p != nil {
		shown.ID, shown.By = p.id, &rpc.Author{User: p.by.GetUser(), Key: p.by.GetKey()}
		shown.Purge = &rpc.PurgeChange{User: p.user, Since: p.since, Reason: p.reason}
		return shown
	}
	shown.Target, shown.User, shown.Key, shown.To, shown.ID = c.of.Target, c.of.User, c.of.Key, c.of.To, c.of.Id
	switch act := c.of.Act.(type) {
	case *schema.Change_Edit:
		shown.Edit = &rpc.Edit{Body: act.Edit.Body, Type: act.Edit.Type, Data: act.Edit.Data}
	case *schema.Change_Delete:
		shown.Delete = &rpc.Deletion{Reason: act.Delete.Reason}
	}
	return shown
}

// sameChange reports whether a change that was shown is that of the log. What an
// edit takes away may be said in two ways.
func (c *change) sameChange(shown rpc.Change) bool {
	want := c.asPush(shown.Channel)
	if a, b := shown.Edit, want.Edit; a != nil && b != nil {
		if a.Body != b.Body || (a.Type == nil) != (b.Type == nil) || a.Type != nil && !sameType(*a.Type, *b.Type) ||
			(a.Data == nil) != (b.Data == nil) || !sameData(string(a.Data), string(b.Data)) {
			return false
		}
		shown.Edit, want.Edit = nil, nil
	}
	return reflect.DeepEqual(shown, want)
}

// genuineChange checks that a change that a session was shown is the one in the
// log at its seq, and that its user may see it.
func (c *check) genuineChange(s *session, shown *rpc.Change) *change {
	e, found := c.truth.at(shown.Channel, shown.Seq)
	is := c.truth.channel(shown.Channel).changeAt(shown.Seq)
	switch {
	case found && e.void:
		c.violate(Idempotent, s, shown.Channel, shown.Seq, "shown the change %q, which is void", shown.ID)
	case is == nil || !is.listed():
		c.violate(Genuine, s, shown.Channel, shown.Seq, "shown the change %q, where the log has none", shown.ID)
		return nil
	case !is.sameChange(*shown):
		c.violate(Genuine, s, shown.Channel, shown.Seq, "shown the change %s, the log has %s", text(shown), text(is.asPush(shown.Channel)))
	}
	if is != nil && !is.visibleTo(s.user) {
		c.violate(Private, s, shown.Channel, shown.Seq, "shown a change of a private message")
	}
	return is
}

// pushedChange takes a changed push: it must be the very next change that the
// session may see.
func (c *check) pushedChange(s *session, p *place, e *Entry) {
	is := c.genuineChange(s, &e.Changed.Change)
	if !c.mayBePushed(s, p, e) {
		return
	}
	p.learn(e.At, e.Seq)
	p.highest = max(p.highest, e.Seq)
	if is == nil {
		return
	}
	if next := p.changes.next; next == len(p.ch.changes) || p.ch.changes[next].seq > is.seq {
		c.violate(Idempotent, s, e.Channel, e.Seq, "a change is pushed again")
		return
	}
	c.skipChanges(s, p, is.seq, func(int64) Rule { return Complete })
	p.changes.next++
	if e.Changed.Cprev != p.changes.last {
		c.violate(Complete, s, e.Channel, e.Seq, "the chain of changes is broken: cprev is %d, the public change before was at %d", e.Changed.Cprev, p.changes.last)
	}
	if is.link() {
		p.changes.last = is.seq
	}
}

// skipChanges moves the place on to the change at seq. What the session may see
// and lies before it is lost.
func (c *check) skipChanges(s *session, p *place, seq int64, rule func(int64) Rule) {
	for ; p.changes.next < len(p.ch.changes) && p.ch.changes[p.changes.next].seq < seq; p.changes.next++ {
		if is := &p.ch.changes[p.changes.next]; is.listed() && is.visibleTo(s.user) {
			c.violate(rule(is.seq), s, p.ch.name, is.seq, "the change was never shown: %s", text(is.asPush(p.ch.name)))
		}
	}
}

// pushedReaction takes a reacted push: its counts are those at its position.
func (c *check) pushedReaction(s *session, p *place, e *Entry) {
	r, m := e.Reacted, c.truth.channel(e.Channel).messageAt(e.Reacted.Target)
	switch {
	case m == nil || m.seq > e.Seq:
		c.violate(Genuine, s, e.Channel, e.Seq, "reactions to the message at %d, which the log does not have", r.Target)
	case !m.visibleTo(s.user) || r.To != m.chat.To:
		c.violate(Private, s, e.Channel, e.Seq, "reactions to a private message of %s to %s, with to %q", m.chat.User, m.chat.To, r.To)
	default:
		look := m.look(e.Seq)
		counts := look.counts()
		for name, n := range r.Counts {
			if counts[name] != n {
				c.violate(Changes, s, e.Channel, e.Seq, "%d react with %q to the message at %d, the log has %d", n, name, r.Target, counts[name])
			}
		}
		if r.User != "" && !m.reacted(r, e.Seq) {
			c.violate(Genuine, s, e.Channel, e.Seq, "%s reacts with %q to the message at %d (remove: %t), which the log does not have", r.User, r.Name, r.Target, r.Remove)
		}
	}
	if c.mayBePushed(s, p, e) {
		p.learn(e.At, e.Seq)
		p.highest = max(p.highest, e.Seq)
	}
}

// reacted reports whether the log has the one reaction that a push stands for.
func (m *message) reacted(r *rpc.ReactedPush, upTo int64) bool {
	return slices.ContainsFunc(m.changes, func(c change) bool {
		react := c.of.GetReact()
		return c.seq <= upTo && react != nil && c.of.User == r.User && react.Name == r.Name && react.Remove == r.Remove
	})
}

// pushedSettings takes a settings push: it must be the next of the log.
func (c *check) pushedSettings(s *session, p *place, e *Entry) {
	if !c.mayBePushed(s, p, e) {
		return
	}
	p.learn(e.At, e.Seq)
	p.highest = max(p.highest, e.Seq)
	for ; p.settings < len(p.ch.settings) && p.ch.settings[p.settings].Seq < e.Seq; p.settings++ {
		c.violate(Settings, s, e.Channel, p.ch.settings[p.settings].Seq, "the settings were never shown")
	}
	if p.settings == len(p.ch.settings) || !sameSettings(e.Settings.Settings, p.ch.settings[p.settings].Settings) {
		c.violate(Settings, s, e.Channel, e.Seq, "the settings are %s, the log has %s", text(e.Settings), text(p.ch.settingsAt(e.Seq)))
		return
	}
	p.settings++
}

// sameSettings compares settings; nothing may be said as null.
func sameSettings(a, b rpc.Settings) bool {
	same := sameData(string(a.Data), string(b.Data)) && slices.Equal(a.Pins, b.Pins)
	a.Data, b.Data, a.Pins, b.Pins = nil, nil, nil, nil
	return same && reflect.DeepEqual(a, b)
}

// finishChanges checks that no change below end is missing from what a session was
// pushed, and no settings.
func (c *check) finishChanges(s *session, p *place, end int64, rule func(int64) Rule) {
	c.skipChanges(s, p, end, rule)
	for ; p.settings < len(p.ch.settings) && p.ch.settings[p.settings].Seq < end; p.settings++ {
		c.violate(Settings, s, p.ch.name, p.ch.settings[p.settings].Seq, "the settings were never shown")
	}
}
