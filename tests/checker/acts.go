package checker

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// actKey is what makes a retry the same act.
type actKey struct{ channel, user, id string }

// attempts are all attempts at one act.
type attempts struct {
	all    []*Entry
	acked  *Entry        // the first that was acknowledged
	failed bool          // every attempt was refused
	began  time.Duration // of the first
	stands []int64       // its places in the log, once per occurrence that is not void
}

// keyOfEvent is the act of a user that an event is; false where it is not one.
func keyOfEvent(e *schema.Event) (key actKey, is bool) {
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		return actKey{k.Chat.Channel, k.Chat.User, k.Chat.Id}, true
	case *schema.Event_Change:
		return actKey{k.Change.Channel, k.Change.User, k.Change.Id}, true
	case *schema.Event_Pin:
		return keyBy(k.Pin.Channel, k.Pin.By, k.Pin.Id)
	case *schema.Event_Sanction:
		return keyBy(k.Sanction.Channel, k.Sanction.By, k.Sanction.Id)
	case *schema.Event_Purge:
		return keyBy(k.Purge.Channel, k.Purge.By, k.Purge.Id)
	case *schema.Event_Set:
		return keyBy(k.Set.Channel, k.Set.By, k.Set.Id)
	}
	return actKey{}, false
}

// keyBy is the act of whom by is; false where that is a backend.
func keyBy(channel string, by *schema.Author, id string) (actKey, bool) {
	return actKey{channel, by.GetUser(), id}, by.GetKey() == ""
}

// checkActs compares what clients asked for with what is in the log.
func (c *check) checkActs() {
	sent := c.attempts()
	for _, events := range c.truth.events {
		for _, e := range events {
			key, is := keyOfEvent(e.Event)
			if !is || e.void {
				continue
			}
			a := sent[key]
			if a == nil {
				c.violate(Genuine, nil, key.channel, e.Offset, "the log has %q of %s, which nobody sent", key.id, key.user)
				continue
			}
			a.stands = append(a.stands, e.Offset)
			c.checkContent(key, e, a)
		}
	}
	for key, a := range sent {
		c.checkAttempts(key, a)
	}
	c.checkRealTime(sent)
	c.checkPurges()
}

func (c *check) attempts() map[actKey]*attempts {
	sent := map[actKey]*attempts{}
	for i := range c.Entries {
		e := &c.Entries[i]
		id, _, is := e.act()
		if !is {
			continue
		}
		key := actKey{e.Channel, e.User, id}
		a := sent[key]
		if a == nil {
			a = &attempts{began: e.Began, failed: true}
			sent[key] = a
		}
		a.all = append(a.all, e)
		a.began = min(a.began, e.Began)
		a.failed = a.failed && e.Outcome == Failed
		if e.Outcome == OK && !e.Unchanged && (a.acked == nil || e.At < a.acked.At) {
			a.acked = e
		}
	}
	return sent
}

// checkContent compares an act in the log with what was sent.
func (c *check) checkContent(key actKey, e event, a *attempts) {
	if !slices.ContainsFunc(a.all, func(sent *Entry) bool { return fits(sent, e.Event) }) {
		c.violate(Genuine, nil, key.channel, e.Offset, "the log has %q of %s as nobody sent it: %v", key.id, key.user, e.Event)
	}
	change := e.Event.GetChange()
	if change == nil {
		return
	}
	m := c.truth.channel(key.channel).messageAt(change.Target)
	switch {
	case m == nil || change.Target >= e.Offset:
		c.violate(Genuine, nil, key.channel, e.Offset, "the log has a change %q of the message at %d, which is not there", key.id, change.Target)
	case change.Author != m.chat.User || change.To != m.chat.To:
		c.violate(Genuine, nil, key.channel, e.Offset, "the log has a change %q of a message of %q to %q as one of %q to %q", key.id, m.chat.User, m.chat.To, change.Author, change.To)
	case !m.visibleTo(change.User):
		c.violate(Private, nil, key.channel, e.Offset, "the log has a change %q of %s, who may not see the message at %d", key.id, change.User, change.Target)
	}
}

// fits reports whether an event is what the entry asked for.
func fits(sent *Entry, e *schema.Event) bool {
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		s := sent.Chat
		return s != nil && sent.Session == k.Chat.Session && s.Body == k.Chat.Body && s.To == k.Chat.To && sameType(s.Type, k.Chat.Type) &&
			sameData(string(s.Data), string(k.Chat.Data)) && s.Reply == k.Chat.Reply && slices.Equal(s.Mentions, k.Chat.Mentions)
	case *schema.Event_Change:
		return sent.Session == k.Change.Session && fitsChange(sent, k.Change)
	case *schema.Event_Pin:
		return sent.Pin != nil && sent.Pin.Seq == k.Pin.Target && sent.Pin.Remove == k.Pin.Remove
	case *schema.Event_Sanction:
		return fitsSanction(sent, k.Sanction, e.Time)
	case *schema.Event_Purge:
		s := sent.Requested
		return s != nil && s.User == k.Purge.User && s.Since == k.Purge.Since && s.Reason == k.Purge.Reason
	case *schema.Event_Set:
		s := sent.Set
		return s != nil && reflect.DeepEqual(s.Slow, k.Set.Slow) && reflect.DeepEqual(s.Frozen, k.Set.Frozen) && reflect.DeepEqual(s.Topic, k.Set.Topic) &&
			(s.Data == nil) == (k.Set.Data == nil) && sameData(string(s.Data), string(k.Set.Data))
	}
	return false
}

// fitsSanction reports whether a sanction, written at a time, is what the entry asked for.
func fitsSanction(sent *Entry, e *schema.Sanction, time int64) bool {
	switch e.Action {
	case schema.Sanction_ACTION_MUTE, schema.Sanction_ACTION_BAN:
		s := sent.Sanction
		if s == nil || (sent.Op == OpMute) != (e.Action == schema.Sanction_ACTION_MUTE) || s.User != e.User || s.Reason != e.Reason ||
			!reflect.DeepEqual(s.Purge, e.PurgeSince) || (s.For == nil) != (e.Until == 0) {
			return false
		}
		return s.For == nil || e.Until >= time+*s.For-clocks && e.Until <= time+*s.For+clocks
	case schema.Sanction_ACTION_KICK:
		return sent.Kick != nil && sent.Kick.User == e.User && sent.Kick.Reason == e.Reason
	}
	lifts := map[string]schema.Sanction_Action{
		"": schema.Sanction_ACTION_LIFT, rpc.SanctionMute: schema.Sanction_ACTION_LIFT_MUTE, rpc.SanctionBan: schema.Sanction_ACTION_LIFT_BAN,
	}
	return sent.Lift != nil && sent.Lift.User == e.User && lifts[sent.Lift.Action] == e.Action
}

func fitsChange(sent *Entry, c *schema.Change) bool {
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		s := sent.Edit
		return s != nil && s.Seq == c.Target && s.Body == act.Edit.Body && (s.Type == nil) == (act.Edit.Type == nil) && (s.Data == nil) == (act.Edit.Data == nil) &&
			(s.Type == nil || sameType(*s.Type, *act.Edit.Type)) && sameData(string(s.Data), string(act.Edit.Data))
	case *schema.Change_Delete:
		return sent.Delete != nil && sent.Delete.Seq == c.Target && sent.Delete.Reason == act.Delete.Reason
	case *schema.Change_React:
		return sent.React != nil && sent.React.Seq == c.Target && sent.React.Name == act.React.Name && sent.React.Remove == act.React.Remove
	}
	return false
}

func sameType(a, b string) bool { return a == b || isText(a) && isText(b) }
func isText(t string) bool      { return t == "" || t == "text" }
func sameData(a, b string) bool { return a == b || isNone(a) && isNone(b) }
func isNone(data string) bool   { return data == "" || data == "null" }

func (c *check) checkAttempts(key actKey, a *attempts) {
	switch {
	case len(a.stands) > 1:
		c.violate(Idempotent, nil, key.channel, a.stands[1], "%q of %s is in the log %d times, at %v", key.id, key.user, len(a.stands), a.stands)
	case a.failed && len(a.stands) > 0:
		c.violate(Durable, nil, key.channel, a.stands[0], "%q of %s was refused, and is in the log", key.id, key.user)
	case a.acked != nil && len(a.stands) == 0:
		c.violate(Durable, nil, key.channel, a.acked.Seq, "%q of %s was acknowledged and is not in the log", key.id, key.user)
	}
	for _, e := range a.all {
		switch {
		case e.Outcome != OK || e.Repeat:
		case e.Unchanged:
			c.checkUnchanged(key, e)
		default:
			c.checkAck(key, e)
		}
	}
}

// checkAck checks that an act is where it was acknowledged, and is in force there when
// the client asked for that.
func (c *check) checkAck(key actKey, e *Entry) {
	at, found := c.truth.at(key.channel, e.Seq)
	if found {
		is, ok := keyOfEvent(at.Event)
		found = ok && is == key
	}
	_, retry, _ := e.act()
	switch {
	case !found:
		c.violate(Durable, nil, key.channel, e.Seq, "%q of %s was acknowledged there, where the log has another event or none", key.id, key.user)
	case retry && at.void:
		c.violate(Durable, nil, key.channel, e.Seq, "the answer to a retry of %q of %s names an event that is void", key.id, key.user)
	}
}

// checkUnchanged checks that a reaction that was not published was so already.
func (c *check) checkUnchanged(key actKey, e *Entry) {
	at, found := c.truth.at(key.channel, e.Seq)
	change := at.Event.GetChange()
	react := change.GetReact()
	stands := found && !at.void && react != nil && change.User == key.user && change.Target == e.React.Seq && react.Name == e.React.Name && react.Remove == e.React.Remove
	if !stands && (e.Seq != 0 || !e.React.Remove) {
		c.violate(Genuine, nil, key.channel, e.Seq, "a reaction %q of %s to %d is answered as unchanged since then, where the log has none that made it so", e.React.Name, key.user, e.React.Seq)
	}
}

// checkPurges checks that the log has no purge that nobody made.
func (c *check) checkPurges() {
	for _, ch := range c.truth.channels {
		for i := range ch.changes {
			is := &ch.changes[i]
			if is.purge == nil || is.purge.by.GetUser() != "" {
				continue // what users asked for is compared as all their acts
			}
			made := func(e Entry) bool {
				return e.Op == OpPurge && e.Channel == ch.name && e.Purge.User == is.purge.user && e.Purge.Since == is.purge.since
			}
			if !slices.ContainsFunc(c.Entries, made) {
				c.violate(Genuine, nil, ch.name, is.seq, "the log has a purge of %s since %d, which nobody made", is.purge.user, is.purge.since)
			}
		}
	}
}

// checkRealTime checks that an act that was first sent after another one was
// acknowledged comes after it in the log.
func (c *check) checkRealTime(sent map[actKey]*attempts) {
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
				id, _, _ := a.all[0].act()
				c.violate(RealTime, nil, name, a.stands[0], "%q was sent after what is at %d was acknowledged, and comes before it", id, highest)
			}
		}
	}
}
