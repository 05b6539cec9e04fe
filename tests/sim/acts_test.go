package sim

import (
	"fmt"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// act does something a client does.
func (c *client) act() {
	if c.session == nil {
		c.comeBack()
		return
	}
	channel := c.pick()
	switch k := c.w.rng.IntN(100); {
	case k < 15:
		c.join(channel)
		for c.session != nil && c.w.chance(15) { // and changes their mind
			c.call(rpc.MethodLeave, channel, rpc.LeaveParams{Channel: channel})
			if c.session != nil && c.w.chance(70) {
				c.join(channel)
			}
		}
	case k < 68:
		c.chat(channel)
	case k < 76:
		c.call(rpc.MethodLeave, channel, rpc.LeaveParams{Channel: channel})
		if c.w.chance(30) {
			c.join(channel)
		}
	case k < 85:
		c.history(channel)
	case k < 87:
		c.call(rpc.MethodMembers, channel, rpc.MembersParams{Channel: channel})
	case k < 90:
		c.changeRight(channel)
	case k < 92:
		c.disconnect(true)
	case k < 99:
		c.disconnect(false)
	default:
		c.w.pass(joinTimeout)
	}
}

// comeBack connects, and joins what the client knows.
func (c *client) comeBack() {
	if len(c.w.nodes) == 0 {
		return
	}
	queue := 4 << 20
	if c.w.chance(10) {
		queue = 600 + c.w.rng.IntN(2000)
	}
	c.connect(c.w.nodes[c.w.rng.IntN(len(c.w.nodes))], queue)
	c.join(c.pick())
	for _, name := range channels {
		if c.rooms[name].since >= 0 && c.w.chance(60) {
			c.join(name)
		}
	}
}

// pick picks a channel, mostly one that the client is in.
func (c *client) pick() string {
	for _, name := range channels {
		if c.rooms[name].asked && c.w.chance(60) {
			return name
		}
	}
	if c.w.chance(50) {
		return channels[0] // so that it is busy
	}
	return channels[c.w.rng.IntN(len(channels))]
}

func (c *client) join(channel string) {
	p := rpc.JoinParams{Channel: channel}
	limit := c.w.rng.IntN(8)
	p.Limit = &limit
	if r := c.rooms[channel]; r.since >= 0 && c.w.chance(80) {
		since := r.since
		p.Since, p.Epoch = &since, logEpoch
	}
	c.call(rpc.MethodJoin, channel, p)
}

// joinAll joins and asks for everything.
func (c *client) joinAll(channel string) {
	limit := maxLimit
	c.call(rpc.MethodJoin, channel, rpc.JoinParams{Channel: channel, Limit: &limit})
}

// chat says something new, or says again what this user said before.
func (c *client) chat(channel string) {
	if c.w.chance(45) {
		if m := c.repeated(); m != nil {
			c.say(*m)
			if c.w.chance(50) { // before anything else, so that it lands where it is meant to
				for id := schema.PartitionOf(m.channel, partitions); c.session != nil && c.node.producer.land(id); {
				}
			}
			return
		}
	}
	c.w.messages++
	m := said{c.user, channel, fmt.Sprintf("m%d", c.w.messages), "", fmt.Sprintf("says %d", c.w.messages)}
	if c.w.chance(25) {
		m.to = c.w.clients[c.w.rng.IntN(len(c.w.clients))].user
	}
	c.w.said = append(c.w.said, m)
	c.say(m)
}

func (c *client) say(m said) {
	c.call(rpc.MethodChat, m.channel, rpc.ChatParams{Channel: m.channel, ID: m.id, To: m.to, Body: m.body})
}

// repeated picks something that the user has said: best what is about to fall
// out of the window, else something recent.
func (c *client) repeated() *said {
	var recent *said
	for i := len(c.w.said) - 1; i >= max(0, len(c.w.said)-10); i-- {
		m := &c.w.said[i]
		if m.user != c.user || !c.rooms[m.channel].asked {
			continue
		}
		if age := c.w.logOf(m.channel).age(m); age >= voidWindow-1 && age <= voidWindow+1 && c.w.chance(70) {
			return m
		}
		if recent == nil || c.w.chance(30) {
			recent = m
		}
	}
	return recent
}

func (c *client) history(channel string) {
	limit, seq := 1+c.w.rng.IntN(6), int64(c.w.rng.IntN(int(c.w.logOf(channel).end())+2))
	p := rpc.HistoryParams{Channel: channel, Limit: &limit}
	switch c.w.rng.IntN(4) {
	case 0:
		p.Before = &seq
	case 1:
		p.After = &seq
	case 2:
		p.Around = &seq
	}
	c.call(rpc.MethodHistory, channel, p)
}
