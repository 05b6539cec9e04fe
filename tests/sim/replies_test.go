package sim

import (
	"encoding/json"
	"fmt"

	"github.com/parley-chat/parley/schema/rpc"
)

func (c *client) answered(call *call, result json.RawMessage, bad *rpc.Error) {
	r := c.rooms[call.channel]
	if bad != nil {
		c.refused(call, bad)
		return
	}
	if r != nil && r.right.lost && call.id > r.right.lostAt {
		c.w.fail("%s/%s: %s in %s is answered without the right to it", c.user, c.session.id, call.method, call.channel)
	}
	switch call.method {
	case rpc.MethodJoin:
		var j rpc.JoinResult
		c.decode(result, &j)
		c.joined(call, r, &j)
	case rpc.MethodLeave:
		c.left(call, r)
	case rpc.MethodChat, rpc.MethodEdit, rpc.MethodDelete, rpc.MethodReact, rpc.MethodPin,
		rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge, rpc.MethodSet:
		var x ack
		c.decode(result, &x)
		c.acked(call, r, &x)
	case rpc.MethodSanctions:
		var x rpc.SanctionsResult
		c.decode(result, &x)
		c.sanctionList(call, &x)
	case rpc.MethodPins:
		var p rpc.PinsResult
		c.decode(result, &p)
		c.pins(call, &p)
	case rpc.MethodReactions:
		var x rpc.ReactionsResult
		c.decode(result, &x)
		c.reactors(call, &x)
	case rpc.MethodHistory:
		var h rpc.HistoryResult
		c.decode(result, &h)
		c.page(call, &h)
	case rpc.MethodMembers:
		var m rpc.MembersResult
		c.decode(result, &m)
		c.memberList(call, &m)
	}
}

// refused takes an error: which ones may come depends on what went wrong.
func (c *client) refused(call *call, bad *rpc.Error) {
	switch bad.Code {
	case rpc.CodeForbidden:
		if !c.rooms[call.channel].right.denied(call) && !c.lacksModerate(call) {
			c.w.fail("%s/%s: %s in %s is refused: %v", c.user, c.session.id, call.method, call.channel, bad)
		}
	case rpc.CodeNotJoined:
		ch := c.w.channel(call.channel)
		// For its message, or for history in slow mode, while a later leave went on.
		waited := idOf(call.params) != "" && (call.method != rpc.MethodChat || ch.wasSlow(call.seen))
		putOut := ch.putOut(c.user, call.seen)
		if r := c.rooms[call.channel]; call.member && !putOut && !(waited && (r.leaving > call.id || r.right.lostAt >= call.id)) {
			c.w.fail("%s: %s in %s is refused to a member", c.user, call.method, call.channel)
		}
	case rpc.CodeUnavailable:
		if call.method == rpc.MethodLeave {
			c.rooms[call.channel].gaveUp = call.id
		}
	case rpc.CodeTooManyChannels:
		if c.w.cfg.Limits.Channels >= len(channels) {
			c.w.fail("%s: %s in %s is refused: %v", c.user, call.method, call.channel, bad)
		}
	case rpc.CodeSanctioned:
		if bad.Data.Action != rpc.SanctionBan {
			c.undone(call)
		}
		c.sanctioned(call, bad.Data)
		c.w.count("refused with 1009: " + bad.Data.Action)
	case rpc.CodeRateLimited:
		c.undone(call)
		c.tooSoon(call, bad.Data)
	case rpc.CodeFull:
		if some, _ := c.full(call, c.w.logOf(call.channel).end()); !some {
			c.w.fail("%s: %s in %s is refused: %v", c.user, call.method, call.channel, bad)
		}
	case rpc.CodeGone:
		c.isGone(call)
	case rpc.CodeNoMethod, rpc.CodeInvalidParams:
		c.tooNew(call, bad)
	case rpc.CodeHistoryUnavailable:
		if putOut := c.w.channel(call.channel).putOut(c.user, call.seen); !c.w.trouble && !putOut {
			c.w.fail("%s: no history although every read succeeded", c.user)
		}
	default:
		c.w.fail("%s: %s is refused: %v", c.user, call.method, bad)
	}
	c.w.count(fmt.Sprint("refused with ", bad.Code))
}

// joinsAgain says whether a join after the leave is under way.
func (c *client) joinsAgain(leave *call) bool {
	for _, call := range c.calls {
		if call.method == rpc.MethodJoin && call.channel == leave.channel && call.id > leave.id {
			return true
		}
	}
	return false
}

// left takes the answer to a leave: everything before it has come. If a join
// follows, its result tells whether that took the leave back.
func (c *client) left(call *call, r *room) {
	if r.unsure = r.member && c.joinsAgain(call); r.member && !r.unsure {
		c.heardAll(call.channel, r)
	}
	r.member, r.left, r.early = false, call.id, call.early
	c.w.count("leaves")
}

// heardAll holds that a stay that has ended was heard to its end.
func (c *client) heardAll(channel string, r *room) {
	ch := c.w.channel(channel)
	if stay, had := ch.stayAt(c.session.id, r.joined); had && !r.right.cut {
		if missed := ch.seen(c.user, r.cursor, min(stay.to, c.w.logOf(channel).end())); len(missed) > 0 {
			c.w.fail("%s/%s has left %s at %d and never heard %s", c.user, c.session.id, channel, stay.to, show(missed))
		}
		c.heardChanges(r, ch, min(stay.to, c.w.logOf(channel).end()))
	}
}
