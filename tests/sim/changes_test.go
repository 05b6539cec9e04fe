package sim

import (
	"encoding/json"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// change is an edit, a deletion, a reaction or a purge that is not void, as it is
// told to clients; of a reaction react and not edit or delete is set.
type change struct {
	rpc.Change
	author string // of the target
	react  *schema.React
	prev   int64 // the public change before it
}

// link says whether it is a link of the chain of changes.
func (c *change) link() bool { return c.To == "" && c.react == nil }

func (c *change) visibleTo(user string) bool {
	return c.To == "" || c.author == user || c.To == user
}

// hits says whether it is one of a message.
func (c *change) hits(m *rpc.Message) bool {
	if c.Purge != nil {
		return c.Purge.User == m.User && m.Seq >= c.Purge.Since && m.Seq < c.Seq
	}
	return c.Target == m.Seq
}

// changeOf is the change that an event is; false where it is not one.
func changeOf(seq int64, e *schema.Event) (c change, is bool) {
	c.Channel, c.Seq, c.Time = e.Channel(), seq, e.Time
	switch k := e.Kind.(type) {
	case *schema.Event_Change:
		c.User, c.ID, c.Target, c.To, c.author = k.Change.User, k.Change.Id, k.Change.Target, k.Change.To, k.Change.Author
		switch act := k.Change.Act.(type) {
		case *schema.Change_Edit:
			c.Edit = &rpc.Edit{Body: act.Edit.Body, Type: act.Edit.Type, Data: act.Edit.Data}
		case *schema.Change_Delete:
			c.Delete = &rpc.Deletion{Reason: act.Delete.Reason}
		case *schema.Change_React:
			c.react = act.React
		}
		return c, true
	case *schema.Event_Purge:
		c.ID, c.By = k.Purge.Id, new(authorOf(k.Purge.By))
		c.Purge = &rpc.PurgeChange{User: k.Purge.User, Since: k.Purge.Since, Reason: k.Purge.Reason}
		return c, true
	case *schema.Event_Sanction:
		if s := k.Sanction; s.PurgeSince != nil {
			c.ID, c.By = s.Id, new(authorOf(s.By))
			c.Purge = &rpc.PurgeChange{User: s.User, Since: *s.PurgeSince, Reason: s.Reason}
			return c, true
		}
	}
	return c, false
}

// actOf is what makes an event a repeat of another one; "" where nothing does.
func actOf(e *schema.Event) string {
	key := func(who, id string) string { return e.Channel() + "\x00" + who + "\x00" + id }
	by := func(a *schema.Author, id string) string {
		if a.GetKey() != "" {
			return key("key "+a.GetKey(), id)
		}
		return key(a.GetUser(), id)
	}
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		return key(k.Chat.User, k.Chat.Id)
	case *schema.Event_Change:
		return key(k.Change.User, k.Change.Id)
	case *schema.Event_Pin:
		return by(k.Pin.By, k.Pin.Id)
	case *schema.Event_Sanction:
		return by(k.Sanction.By, k.Sanction.Id)
	case *schema.Event_Purge:
		return by(k.Purge.By, k.Purge.Id)
	case *schema.Event_Set:
		return by(k.Set.By, k.Set.Id)
	}
	return ""
}

// changed takes what came with format 2.
func (ch *channel) changed(seq int64, e *schema.Event) {
	if c, is := changeOf(seq, e); is {
		c.prev = ch.clast(seq)
		ch.changes = append(ch.changes, c)
	}
	if s := e.GetSet(); s != nil {
		ch.settings = append(ch.settings, settingsBy(seq, e.Time, s, ch.settingsAt(seq)))
	}
	if p := e.GetPin(); p != nil {
		now := ch.settingsAt(seq)
		before := now.Pins
		now.Seq, now.Time, now.By, now.Pins = seq, e.Time, new(authorOf(p.By)), []int64{}
		if !p.Remove {
			now.Pins = append(now.Pins, p.Target)
		}
		for _, pinned := range before {
			if pinned != p.Target && len(now.Pins) < schema.MaxPins {
				now.Pins = append(now.Pins, pinned)
			}
		}
		ch.settings = append(ch.settings, now)
	}
}

// clast is the newest public change up to a position; 0: none.
func (ch *channel) clast(seq int64) int64 {
	for i := len(ch.changes) - 1; i >= 0; i-- {
		if c := &ch.changes[i]; c.Seq <= seq && c.link() {
			return c.Seq
		}
	}
	return 0
}

// settingsAt are the settings at a position.
func (ch *channel) settingsAt(seq int64) rpc.Settings {
	at := rpc.Settings{Pins: []int64{}}
	for _, s := range ch.settings {
		if s.Seq <= seq {
			at = s
		}
	}
	return at
}

// told are the changes in (after, upTo] that user may see, reactions left out.
func (ch *channel) told(user string, after, upTo int64) []change {
	return slices.DeleteFunc(slices.Clone(ch.changes), func(c change) bool {
		return c.Seq <= after || c.Seq > upTo || c.react != nil || !c.visibleTo(user)
	})
}

// reacted are the names that changed in (after, upTo] of messages at or below
// target, by message.
func (ch *channel) reacted(user string, after, upTo, target int64) map[int64][]string {
	names := map[int64][]string{}
	for i := range ch.changes {
		if c := &ch.changes[i]; c.react != nil && c.Seq > after && c.Seq <= upTo && c.Target <= target && c.visibleTo(user) && !slices.Contains(names[c.Target], c.react.Name) {
			names[c.Target] = append(names[c.Target], c.react.Name)
		}
	}
	return names
}

// at are messages as all changes up to a position have made them.
func (ch *channel) at(seq int64, sent []rpc.Message) []rpc.Message {
	all := make([]rpc.Message, len(sent))
	for i := range sent {
		all[i] = folded(sent[i], ch.changes, seq)
	}
	return all
}

// folded is a message after changes up to a position, in whatever order they are
// given: of each field the newest edit that names it counts, of what deletes the
// oldest.
func folded(m rpc.Message, changes []change, upTo int64) rpc.Message {
	var body, kind, data, gone *change
	newer := func(have *change, c *change) *change {
		if have == nil || c.Seq > have.Seq {
			return c
		}
		return have
	}
	for i := range changes {
		c := &changes[i]
		if c.Seq > upTo || !c.hits(&m) {
			continue
		}
		if e := c.Edit; e != nil {
			body = newer(body, c)
			if e.Type != nil {
				kind = newer(kind, c)
			}
			if e.Data != nil {
				data = newer(data, c)
			}
		}
		if (c.Delete != nil || c.Purge != nil) && (gone == nil || c.Seq < gone.Seq) {
			gone = c
		}
	}
	if gone != nil {
		return deleted(m, gone)
	}
	if body != nil {
		m.Body, m.Edited = body.Edit.Body, &rpc.Edited{Seq: body.Seq, Time: body.Time}
	}
	if kind != nil {
		m.Type = *kind.Edit.Type
	}
	if data != nil {
		m.Data = data.Edit.Data
	}
	m.Reactions = reactions(&m, changes, upTo)
	return plain(m)
}

// plain is a message without what says nothing.
func plain(m rpc.Message) rpc.Message {
	if m.Type == rpc.TypeText {
		m.Type = ""
	}
	if len(m.Data) == 0 || string(m.Data) == "null" {
		m.Data = json.RawMessage(nil)
	}
	return m
}

func deleted(m rpc.Message, by *change) rpc.Message {
	left := rpc.Message{Channel: m.Channel, Seq: m.Seq, ID: m.ID, User: m.User, To: m.To, Time: m.Time}
	left.Deleted = &rpc.Deleted{Seq: by.Seq, Time: by.Time, By: rpc.Author{User: by.User}}
	if by.Purge != nil {
		left.Deleted.By, left.Deleted.Reason = *by.By, by.Purge.Reason
	} else {
		left.Deleted.Reason = by.Delete.Reason
	}
	return left
}

// reactions are the names that users react with, each at its oldest reaction that
// still counts.
func reactions(m *rpc.Message, changes []change, upTo int64) []rpc.Reaction {
	var all []rpc.Reaction
	for _, c := range deciding(m, changes, upTo) {
		i := slices.IndexFunc(all, func(r rpc.Reaction) bool { return r.Name == c.react.Name })
		if i < 0 {
			i = len(all)
			all = append(all, rpc.Reaction{Name: c.react.Name})
		}
		all[i].Count++
	}
	return all
}

// deciding are the reactions to a message that count, of each user and name the
// newest one, ascending, unless that takes it back.
func deciding(m *rpc.Message, changes []change, upTo int64) []change {
	var all []change
	for _, c := range changes {
		if c.react == nil || c.Target != m.Seq || c.Seq > upTo {
			continue
		}
		later := func(o change) bool {
			return o.react != nil && o.Target == c.Target && o.User == c.User && o.react.Name == c.react.Name && o.Seq > c.Seq && o.Seq <= upTo
		}
		if !c.react.Remove && !slices.ContainsFunc(changes, later) && !slices.ContainsFunc(all, func(o change) bool { return o.Seq == c.Seq }) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b change) int { return int(a.Seq - b.Seq) })
	return all
}

// mine are the names that a user reacts with to messages, as far as they are not
// deleted.
func (ch *channel) mine(user string, seq int64, sent []rpc.Message) []rpc.Mine {
	var all []rpc.Mine
	for i := range sent {
		if folded(sent[i], ch.changes, seq).Deleted != nil {
			continue
		}
		var names []string
		for _, c := range deciding(&sent[i], ch.changes, seq) {
			if c.User == user {
				names = append(names, c.react.Name)
			}
		}
		if names != nil {
			all = append(all, rpc.Mine{Seq: sent[i].Seq, Names: names})
		}
	}
	return all
}

// counts are how many react to a message with each name.
func (ch *channel) counts(target, upTo int64) map[string]int {
	counts := map[string]int{}
	for i := range ch.messages {
		if m := &ch.messages[i]; m.Seq == target {
			for _, r := range folded(*m, ch.changes, upTo).Reactions {
				counts[r.Name] = r.Count
			}
		}
	}
	return counts
}

// message is the message at a position, as it was sent; nil for none.
func (ch *channel) message(seq int64) *rpc.Message {
	for i := range ch.messages {
		if ch.messages[i].Seq == seq {
			return &ch.messages[i]
		}
	}
	return nil
}
