package checker

import (
	"maps"
	"slices"
	"sort"

	"github.com/parley-chat/parley/schema"
)

func (c *channel) join(r Record, j *schema.Join) {
	if c.present[j.Session] != nil {
		return
	}
	was := hidden
	if c.users[j.User] > 0 {
		was = c.sees(j.User, r.Offset)
	}
	s := &stay{session: j.Session, user: j.User, connector: r.Event.Connector, from: r.Offset, began: r.Event.Time}
	s.sight = c.sightOf(j.User, r.Offset, r.Event.Time)
	c.present[j.Session] = s
	c.stays[j.Session] = append(c.stays[j.Session], s)
	c.users[j.User]++
	if was != shown && s.sight != hidden {
		c.notices = append(c.notices, notice{seq: r.Offset, user: j.User, joined: true, may: was == maybe || s.sight == maybe})
	}
	c.crowdChanged(r.Offset)
}

// end ends a session's stay, if it has one.
func (c *channel) end(r Record, session string, reason schema.Reason, down bool) {
	s := c.present[session]
	if s == nil {
		return
	}
	was := c.sees(s.user, r.Offset-1)
	delete(c.present, session)
	s.to, s.ended, s.reason, s.down = r.Offset, r.Event.Time, reason, down
	if c.users[s.user]--; c.users[s.user] == 0 {
		delete(c.users, s.user)
		if was != hidden {
			c.notices = append(c.notices, notice{seq: r.Offset, user: s.user, reason: reason, may: was == maybe})
		}
	}
	c.crowdChanged(r.Offset)
}

func (c *channel) down(r Record, d *schema.Down) {
	for _, session := range slices.Sorted(maps.Keys(c.present)) {
		if c.present[session].connector == d.Connector {
			c.end(r, session, d.Reason, true)
		}
	}
}

// crowdChanged notes who is here from seq on.
func (c *channel) crowdChanged(seq int64) {
	now := crowd{seq: seq}
	for _, user := range slices.Sorted(maps.Keys(c.users)) {
		switch c.sees(user, seq) {
		case shown:
			now.users = append(now.users, user)
		case maybe:
			now.maybe = append(now.maybe, user)
		}
	}
	if n := len(c.crowds); n > 0 && c.crowds[n-1].seq == seq {
		c.crowds[n-1] = now
		return
	}
	c.crowds = append(c.crowds, now)
}

// crowdAt is who is here once the event at seq has passed.
func (c *channel) crowdAt(seq int64) crowd {
	i := indexAbove(c.crowds, seq, func(c crowd) int64 { return c.seq })
	if i == 0 {
		return crowd{}
	}
	return c.crowds[i-1]
}

// stayAt is the stay of a session that covers seq: its join and its leave
// included.
func (c *channel) stayAt(session string, seq int64) *stay {
	for _, s := range c.stays[session] {
		if s.from <= seq && (s.to == 0 || seq <= s.to) {
			return s
		}
	}
	return nil
}

// visible are the messages above from and below to that user may see.
func (c *channel) visible(user string, from, to int64) []*message {
	var found []*message
	for i := indexAbove(c.messages, from, func(m message) int64 { return m.seq }); i < len(c.messages) && c.messages[i].seq < to; i++ {
		if m := &c.messages[i]; m.visibleTo(user) {
			found = append(found, m)
		}
	}
	return found
}

// lastAt is the newest public message at or below seq.
func (c *channel) lastAt(seq int64) int64 {
	i := indexAbove(c.messages, seq, func(m message) int64 { return m.seq })
	if i == 0 {
		return 0
	}
	if m := &c.messages[i-1]; m.chat.To != "" {
		return m.prev
	}
	return c.messages[i-1].seq
}

// between are the notices above from and below to.
func (c *channel) between(from, to int64) []notice {
	at := func(n notice) int64 { return n.seq }
	return c.notices[indexAbove(c.notices, from, at):indexAbove(c.notices, max(from, to-1), at)]
}

// indexAbove is the index of the first element whose seq is above seq.
func indexAbove[T any](all []T, seq int64, seqOf func(T) int64) int {
	return sort.Search(len(all), func(i int) bool { return seqOf(all[i]) > seq })
}
