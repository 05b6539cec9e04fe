package fold

import (
	"cmp"
	"maps"
	"slices"
)

// channel is one channel's membership. It exists while it has a member or a
// public message; without members, as most are in the long run, it has no maps.
type channel struct {
	name    string
	last    int64             // newest public message that is not void; 0: none
	members map[string]member // by session
	users   map[string]int    // sessions of each user
	subs    []subscription    // sorted by connector
}

// member is a session's membership of a channel.
type member struct {
	user      string
	connector *connector
	offset    int64 // of its join
}

// subscription counts the sessions that a connector has in a channel.
type subscription struct {
	connector *connector
	sessions  int
}

// add makes a session a member that is not one yet. first: its user had no session
// here; subscribed: its connector had none.
func (c *channel) add(session string, m member) (first, subscribed bool) {
	if c.members == nil {
		c.members, c.users = map[string]member{}, map[string]int{}
	}
	c.members[session] = m
	c.users[m.user]++
	i, found := c.find(m.connector)
	if !found {
		c.subs = slices.Insert(c.subs, i, subscription{connector: m.connector})
		m.connector.channels[c.name] = c
	}
	c.subs[i].sessions++
	return c.users[m.user] == 1, !found
}

// remove ends the membership of a session that is a member. gone: its user has
// no session here any more; unsubscribed: its connector has none.
func (c *channel) remove(session string) (gone, unsubscribed bool) {
	m := c.members[session]
	delete(c.members, session)
	if c.users[m.user]--; c.users[m.user] == 0 {
		delete(c.users, m.user)
		gone = true
	}
	i, _ := c.find(m.connector)
	if c.subs[i].sessions--; c.subs[i].sessions == 0 {
		c.subs = slices.Delete(c.subs, i, i+1)
		delete(m.connector.channels, c.name)
		unsubscribed = true
	}
	if len(c.members) == 0 {
		c.members, c.users, c.subs = nil, nil, nil
	}
	return gone, unsubscribed
}

// sessionsOf returns the sessions that a connector has here, in no order.
func (c *channel) sessionsOf(conn *connector) []string {
	var sessions []string
	for session, m := range c.members {
		if m.connector == conn {
			sessions = append(sessions, session)
		}
	}
	return sessions
}

// receivers are the connectors that have members here, and also, in its place;
// also may be nil.
func (c *channel) receivers(also *connector) []*connector {
	all := make([]*connector, 0, len(c.subs)+1)
	for _, s := range c.subs {
		all = append(all, s.connector)
	}
	if also == nil {
		return all
	}
	if i, found := c.find(also); !found {
		all = slices.Insert(all, i, also)
	}
	return all
}

func (c *channel) find(conn *connector) (int, bool) {
	return slices.BinarySearchFunc(c.subs, conn.id, func(s subscription, id string) int {
		return cmp.Compare(s.connector.id, id)
	})
}

func (c *channel) sortedUsers() []string { return slices.Sorted(maps.Keys(c.users)) }

func (c *channel) empty() bool { return c.last == 0 && len(c.members) == 0 }
