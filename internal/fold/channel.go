package fold

import (
	"cmp"
	"maps"
	"slices"

	"github.com/parley-chat/parley/schema"
)

// channel is one channel's membership, and what else there is of it. It exists while
// there is any of it; without members, as most are in the long run, it has no maps.
type channel struct {
	name    string
	last    int64             // newest public message that is not void; 0: none
	clast   int64             // newest public change that is not void; 0: none
	members map[string]member // by session
	users   map[string]int    // sessions of each user
	subs    []subscription    // sorted by connector
	more    *more             // nil in most
}

// more is what few channels have.
type more struct {
	infos     map[string][]byte // of the newest join of each user present
	sanctions map[string]sanction
	count     int64                 // of mutes and bans
	settings  *schema.StateSettings // nil: nobody set any
	pins      *schema.StatePins     // nil: there were none
	private   bool                  // something private was the first that was said here
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
	watch     int64 // the offset of its watch; 0: it does not watch the channel
}

// add makes a session a member that is not one yet. first: its user had no session
// here; subscribed: its connector had none and did not watch.
func (c *channel) add(session string, m member) (first, subscribed bool) {
	if c.members == nil {
		c.members, c.users = map[string]member{}, map[string]int{}
	}
	c.members[session] = m
	c.users[m.user]++
	sub, subscribed := c.subscribe(m.connector)
	sub.sessions++
	return c.users[m.user] == 1, subscribed
}

// subscribe returns the subscription of a connector, which it creates where there is
// none.
func (c *channel) subscribe(conn *connector) (sub *subscription, created bool) {
	i, found := c.find(conn)
	if !found {
		c.subs = slices.Insert(c.subs, i, subscription{connector: conn})
		conn.channels[c.name] = c
	}
	return &c.subs[i], !found
}

// unsubscribe ends the subscription of a connector that has neither a session here
// nor a watch.
func (c *channel) unsubscribe(conn *connector) bool {
	i, found := c.find(conn)
	if !found || c.subs[i].sessions > 0 || c.subs[i].watch > 0 {
		return false
	}
	c.subs = slices.Delete(c.subs, i, i+1)
	delete(conn.channels, c.name)
	if len(c.subs) == 0 {
		c.subs = nil
	}
	return true
}

// remove ends the membership of a session that is a member. gone: its user has
// no session here any more; unsubscribed: its connector has none and does not watch.
func (c *channel) remove(session string) (gone, unsubscribed bool) {
	m := c.members[session]
	delete(c.members, session)
	if c.users[m.user]--; c.users[m.user] == 0 {
		delete(c.users, m.user)
		gone = true
	}
	i, _ := c.find(m.connector)
	c.subs[i].sessions--
	unsubscribed = c.unsubscribe(m.connector)
	if len(c.members) == 0 {
		c.members, c.users = nil, nil
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

// sessionsBy returns the sessions that a user has here by their connectors.
func (c *channel) sessionsBy(user string) map[*connector][]string {
	if c.users[user] == 0 {
		return nil
	}
	by := map[*connector][]string{}
	for session, m := range c.members {
		if m.user == user {
			by[m.connector] = append(by[m.connector], session)
		}
	}
	return by
}

// receivers are the connectors that have members here or watch, and also, in its place;
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

// extra returns what few channels have, to be written to.
func (c *channel) extra() *more {
	if c.more == nil {
		c.more = &more{}
	}
	return c.more
}

// tidy forgets what is empty.
func (c *channel) tidy() {
	m := c.more
	if m == nil {
		return
	}
	if len(m.infos) == 0 {
		m.infos = nil
	}
	if len(m.sanctions) == 0 {
		m.sanctions = nil
	}
	if m.infos == nil && m.sanctions == nil && m.settings == nil && m.pins == nil && !m.private {
		c.more = nil
	}
}

func (c *channel) empty() bool {
	c.tidy()
	return !c.touched() && len(c.subs) == 0 && c.more == nil
}

// touched reports whether anything was said here, or changed, that history may have.
func (c *channel) touched() bool {
	return c.last != 0 || c.clast != 0 || c.more != nil && c.more.private
}
