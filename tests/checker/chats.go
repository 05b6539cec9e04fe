package checker

import (
	"cmp"
	"slices"
	"time"
)

// chatKey is what makes a retry the same message.
type chatKey struct{ channel, user, id string }

// attempts are all attempts at one message.
type attempts struct {
	all    []*Entry
	acked  *Entry        // the first that was acknowledged
	failed bool          // every attempt was refused
	began  time.Duration // of the first
	stands []int64       // its places in the log, once per occurrence that is not void
}

// checkChats compares what clients sent with what is in the log.
func (c *check) checkChats() {
	sent := c.attempts()
	for _, ch := range c.truth.channels {
		for i := range ch.messages {
			m := &ch.messages[i]
			a := sent[chatKey{ch.name, m.chat.User, m.chat.Id}]
			if a == nil {
				c.violate(Genuine, nil, ch.name, m.seq, "the log has message %q of %s, which nobody sent", m.chat.Id, m.chat.User)
				continue
			}
			a.stands = append(a.stands, m.seq)
			c.checkContent(ch, m, a)
		}
	}
	for key, a := range sent {
		c.checkAttempts(key, a)
	}
	c.checkRealTime(sent)
}

func (c *check) attempts() map[chatKey]*attempts {
	sent := map[chatKey]*attempts{}
	for i := range c.Entries {
		e := &c.Entries[i]
		if e.Op != OpChat {
			continue
		}
		key := chatKey{e.Channel, e.User, e.Chat.ID}
		a := sent[key]
		if a == nil {
			a = &attempts{began: e.Began, failed: true}
			sent[key] = a
		}
		a.all = append(a.all, e)
		a.began = min(a.began, e.Began)
		a.failed = a.failed && e.Outcome == Failed
		if e.Outcome == OK && (a.acked == nil || e.At < a.acked.At) {
			a.acked = e
		}
	}
	return sent
}

// checkContent compares a message in the log with what was sent.
func (c *check) checkContent(ch *channel, m *message, a *attempts) {
	fits := func(e *Entry) bool {
		return e.Chat.Body == m.chat.Body && e.Chat.To == m.chat.To && e.Session == m.chat.Session
	}
	if !slices.ContainsFunc(a.all, fits) {
		c.violate(Genuine, nil, ch.name, m.seq, "the log has message %q of %s as nobody sent it: to %q, %q", m.chat.Id, m.chat.User, m.chat.To, m.chat.Body)
	}
}

func (c *check) checkAttempts(key chatKey, a *attempts) {
	switch {
	case len(a.stands) > 1:
		c.violate(Idempotent, nil, key.channel, a.stands[1], "message %q of %s is in the log %d times, at %v", key.id, key.user, len(a.stands), a.stands)
	case a.failed && len(a.stands) > 0:
		c.violate(Durable, nil, key.channel, a.stands[0], "message %q of %s was refused, and is in the log", key.id, key.user)
	case a.acked != nil && len(a.stands) == 0:
		c.violate(Durable, nil, key.channel, a.acked.Seq, "message %q of %s was acknowledged and is not in the log", key.id, key.user)
	}
	for _, e := range a.all {
		if e.Outcome != OK {
			continue
		}
		at, found := c.truth.at(key.channel, e.Seq)
		if chat := at.Event.GetChat(); !found || chat == nil || chat.Channel != key.channel || chat.User != key.user || chat.Id != key.id {
			c.violate(Durable, nil, key.channel, e.Seq, "message %q of %s was acknowledged there, where the log has another event or none", key.id, key.user)
		}
	}
}

// checkRealTime checks that a message that was first sent after another one
// was acknowledged comes after it in the log.
func (c *check) checkRealTime(sent map[chatKey]*attempts) {
	byChannel := map[string][]*attempts{}
	for key, a := range sent {
		if len(a.stands) == 1 {
			byChannel[key.channel] = append(byChannel[key.channel], a)
		}
	}
	for name, all := range byChannel {
		acked := slices.DeleteFunc(slices.Clone(all), func(a *attempts) bool { return a.acked == nil })
		slices.SortFunc(acked, func(a, b *attempts) int { return cmp.Compare(a.acked.At, b.acked.At) })
		slices.SortFunc(all, func(a, b *attempts) int { return cmp.Compare(a.began, b.began) })
		highest := int64(0)
		for _, a := range all {
			for len(acked) > 0 && acked[0].acked.At < a.began {
				highest = max(highest, acked[0].stands[0])
				acked = acked[1:]
			}
			if a.stands[0] < highest {
				c.violate(RealTime, nil, name, a.stands[0], "message %q was sent after the one at %d was acknowledged, and comes before it", a.all[0].Chat.ID, highest)
			}
		}
	}
}
