package sim

import (
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema/rpc"
)

// right is whether the client's session may use a channel.
type right struct {
	lost   bool
	lostAt int // the newest call when it was lost
	// cut: it was lost within the stay that goes on or ends, so that the rest of it
	// may not be heard.
	cut bool
}

// changeRight takes away the right to a channel, or gives it back. The client has
// read everything of before.
func (c *client) changeRight(channel string) {
	if c.read(); c.session == nil {
		return
	}
	r := &c.rooms[channel].right
	if r.lost = !r.lost; r.lost {
		r.lostAt, r.cut = c.last, true
	}
	c.w.tracef("%s/%s may use %s: %v", c.user, c.session.id, channel, !r.lost)
	if c.w.plant != plantKeptRight {
		c.allow()
	}
	c.w.settle()
}

// allow tells the connector what the client's session may do.
func (c *client) allow() {
	var may []string
	for _, name := range channels {
		if !c.rooms[name].right.lost {
			may = append(may, name)
		}
	}
	actions := []string{"*"}
	if c.moderates() {
		actions = append(actions, "moderate")
	}
	grant, err := grants.New(may, actions)
	if err != nil {
		c.w.fail("%v", err)
	}
	list, err := grants.NewList(grant)
	if err != nil {
		c.w.fail("%v", err)
	}
	c.session.Allow(list)
}

// removed takes note that the session is out of a channel, whose pushes it has
// all heard.
func (c *client) removed(p *rpc.RemovedPush) {
	r := c.rooms[p.Channel]
	if p.Reason != rpc.ReasonForbidden {
		c.expelled(r, p)
		return
	}
	if !r.right.cut {
		c.w.fail("%s/%s is out of a channel whose right it never lost", c.user, c.session.id)
	}
	r.member, r.left = false, r.right.lostAt+1
	c.w.count("rights lost")
}

// denied reports whether a call may be refused for want of a right.
func (r *right) denied(call *call) bool { return r.lost || call.id <= r.lostAt }
