package sim

import (
	"encoding/json"
	"fmt"
	"slices"

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
	case k < 55:
		c.chat(channel)
	case k < 61 || k < 68 && !c.moderates() && !c.w.chance(5):
		c.change(channel)
	case k < 68:
		c.moderate(channel)
	case k < 76:
		c.call(rpc.MethodLeave, channel, rpc.LeaveParams{Channel: channel})
		if c.w.chance(30) {
			c.join(channel)
		}
	case k < 85:
		c.history(channel)
	case k < 86:
		c.call(rpc.MethodMembers, channel, rpc.MembersParams{Channel: channel})
	case k < 87:
		c.look(channel)
	case k < 90:
		c.changeRight(channel)
	case k < 92:
		c.goAway(true)
	case k < 99:
		c.goAway(false)
	default:
		c.w.pass(joinTimeout)
	}
}

// goAway disconnects. One who was about to leave and come back is put out now and then.
func (c *client) goAway(inOrder bool) {
	hasty := slices.DeleteFunc(slices.Clone(channels), func(name string) bool { return !c.leaves(name) || !c.joins(name) })
	c.disconnect(inOrder)
	for _, name := range hasty {
		if c.w.chance(40) {
			c.w.putOut(name, c.user)
		}
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
	p := rpc.ChatParams{Channel: channel, ID: c.newID()}
	p.Body = "says " + p.ID
	if c.w.chance(25) {
		p.To = c.w.clients[c.w.rng.IntN(len(c.w.clients))].user
	}
	if seq := c.target(channel); c.w.chance(15) && seq > 0 && seq <= c.rooms[channel].since {
		p.Reply, p.Mentions = seq, []string{"ann", "bob"}
	}
	if c.w.chance(10) {
		p.Type, p.Data = "poll", json.RawMessage(`{"n":1}`)
	}
	c.does(rpc.MethodChat, channel, p.ID, p)
}

func (c *client) newID() string {
	c.w.messages++
	return fmt.Sprint("m", c.w.messages)
}

// does asks for something new, and remembers it.
func (c *client) does(method, channel, id string, params any) {
	c.w.said = append(c.w.said, said{c.user, channel, id, method, params})
	c.fresh = true
	c.call(method, channel, params)
}

// say asks again, and now and then says so: what is known is not written again then.
func (c *client) say(m said) {
	if c.w.chance(15) {
		m.params = retried(m.params)
	}
	c.call(m.method, m.channel, m.params)
}

// retried are params that say that they were sent before.
func retried(params any) any {
	switch p := params.(type) {
	case rpc.ChatParams:
		p.Retry = true
		return p
	case rpc.EditParams:
		p.Retry = true
		return p
	case rpc.DeleteParams:
		p.Retry = true
		return p
	case rpc.ReactParams:
		p.Retry = true
		return p
	case rpc.PinParams:
		p.Retry = true
		return p
	case rpc.SanctionParams:
		p.Retry = true
		return p
	case rpc.KickParams:
		p.Retry = true
		return p
	case rpc.LiftParams:
		p.Retry = true
		return p
	case rpc.PurgeParams:
		p.Retry = true
		return p
	case rpc.SetParams:
		p.Retry = true
		return p
	}
	return params
}

// target picks a message to change, most often a recent one that the user sees, and
// now and then what is not there.
func (c *client) target(channel string) int64 {
	ch, l := c.w.channel(channel), c.w.logOf(channel)
	if n := len(ch.messages); n > 0 && c.w.chance(90) {
		m := ch.messages[max(0, n-1-c.w.rng.IntN(6))]
		if m.VisibleTo(c.user) || c.w.chance(20) {
			return m.Seq
		}
	}
	return 1 + int64(c.w.rng.IntN(int(l.end())+2))
}

// change changes a message.
func (c *client) change(channel string) {
	if c.w.chance(20) {
		if m := c.repeated(); m != nil {
			c.say(*m)
			return
		}
	}
	seq, id := c.target(channel), c.newID()
	switch k := c.w.rng.IntN(100); {
	case k < 30:
		p := rpc.EditParams{Channel: channel, Seq: seq, ID: id, Body: "says now " + id}
		if c.w.chance(30) {
			p.Type, p.Data = new(rpc.TypeText), json.RawMessage("null")
		} else if c.w.chance(30) {
			p.Data = json.RawMessage("[2]")
		}
		c.does(rpc.MethodEdit, channel, id, p)
	case k < 42:
		c.does(rpc.MethodDelete, channel, id, rpc.DeleteParams{Channel: channel, Seq: seq, ID: id, Reason: "off topic"})
	case k < 90:
		p := rpc.ReactParams{Channel: channel, Seq: seq, ID: id, Name: []string{"+1", "eyes"}[c.w.rng.IntN(2)], Remove: c.w.chance(40)}
		c.does(rpc.MethodReact, channel, id, p)
	default:
		c.does(rpc.MethodPin, channel, id, rpc.PinParams{Channel: channel, Seq: seq, ID: id, Remove: c.w.chance(30)})
	}
}

// look asks for what is pinned, or who reacts.
func (c *client) look(channel string) {
	if c.w.chance(50) {
		c.call(rpc.MethodPins, channel, rpc.PinsParams{Channel: channel})
		return
	}
	c.call(rpc.MethodReactions, channel, rpc.ReactionsParams{Channel: channel, Seq: c.target(channel)})
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
	if c.w.chance(15) {
		p.User = c.w.clients[c.w.rng.IntN(len(c.w.clients))].user
		p.Before = &seq
		c.call(rpc.MethodHistory, channel, p)
		return
	}
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
