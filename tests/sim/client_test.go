package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/internal/testing/wstest"
	"github.com/parley-chat/parley/schema/rpc"
)

// client is a client as the protocol describes it, and the checker of what
// it is told.
type client struct {
	w    *world
	user string

	// Of the connection; session is nil while there is none.
	node    *node
	session *session
	line    *line // of the session's connection
	calls   map[int]*call
	last    int // id of the newest call
	rooms   map[string]*room

	joinAnswered bool // by the newest frame
	fresh        bool // the next call is an act that was not asked for before
}

// call is a request that is not answered.
type call struct {
	id      int
	method  string
	channel string
	params  any
	seen    int64 // the position that the client had seen
	least   int64 // and what was acknowledged to it: what a history answer must reach
	member  bool  // it was surely a member then
	newer   bool  // what came with format 2 must be known to be in force
	early   bool  // a leave that was asked for while a join was under way or its result being made
	at      int64 // the time, in Unix milliseconds
	joined  int64 // the position of the result of the join that it was a member by
	fresh   bool  // an act that was not asked for before
	end     int64 // of the log then
}

// room is what the client knows of a channel. since outlives a connection.
type room struct {
	since   int64 // -1: none
	member  bool
	asked   bool  // for membership, and not for its end
	by      int   // the join that made it a member
	gaveUp  int   // the newest leave that was given up: it may have passed
	left    int   // the newest leave that was answered
	leaving int   // the newest leave that was asked for
	unsure  bool  // whether the join after it takes it back, so that the log has neither
	early   bool  // and it was asked for while a join was under way
	joined  int64 // the position of the join's result
	cursor  int64 // the newest message received, or the join
	pushed  int64 // of the newest push
	acked   int64
	members map[string]bool
	crowded bool // presence took the place of joined and left
	right   right
	changed int64 // the newest change received, or the join
	set     int64 // the newest settings received, or the join
	told    int64 // the newest sanction received, or the join
	view    *view // what the client shows; outlives a connection
}

// said is an act that was asked for, and may be asked for again.
type said struct {
	user, channel, id string
	method            string
	params            any
}

func (w *world) newClient(user string) *client {
	c := &client{w: w, user: user, rooms: map[string]*room{}}
	for _, ch := range channels {
		c.rooms[ch] = &room{since: -1, view: newView()}
	}
	return c
}

func (c *client) connect(n *node, queue int) {
	c.node, c.calls, c.last = n, map[int]*call{}, 0
	c.session = n.open(c, queue)
	c.w.tracef("%s connects to %s as %s", c.user, n.id, c.session.id)
	c.call(rpc.MethodHello, "", rpc.HelloParams{User: c.user})
	c.allow()
}

// gone takes note that the connection is gone. What was not read is lost.
func (c *client) gone() {
	_ = c.line.Close()
	delete(c.node.clients, c.session.id)
	c.node, c.session, c.calls = nil, nil, nil
	for _, r := range c.rooms {
		r.member, r.asked, r.gaveUp, r.left, r.leaving, r.unsure, r.members, r.right = false, false, 0, 0, 0, false, nil, right{}
	}
}

// disconnect ends the connection, in order or by a cut.
func (c *client) disconnect(inOrder bool) {
	s := c.session
	c.w.tracef("%s/%s disconnects, in order: %v", c.user, s.id, inOrder)
	s.conn.Abort()
	c.gone()
	if c.w.plant != plantNoLeave {
		s.End(front.Ending{Ours: s.conn.ClosedWith(), Clean: inOrder})
	}
	c.w.settle()
}

func (c *client) call(method, channel string, params any) {
	c.last++
	call := &call{id: c.last, method: method, channel: channel, params: params, newer: c.knowsNewer(channel), at: c.w.now(), fresh: c.fresh}
	if channel != "" {
		call.end = c.w.logOf(channel).end()
	}
	c.fresh = false
	if r := c.rooms[channel]; r != nil && r.member {
		call.seen, call.joined = max(r.joined, r.pushed), r.joined
		call.least = max(call.seen, r.acked)
		call.member = r.gaveUp < r.by && !c.leaves(channel)
	}
	call.early = method == rpc.MethodLeave && c.joins(channel)
	c.calls[c.last] = call
	switch method {
	case rpc.MethodJoin:
		c.rooms[channel].asked = true
	case rpc.MethodLeave:
		c.rooms[channel].asked, c.rooms[channel].leaving = false, c.last
	}
	b, err := json.Marshal(params)
	if err != nil {
		c.w.fail("%v", err)
	}
	if method != rpc.MethodHello {
		c.w.tracef("%s/%s asks %d: %s %s", c.user, c.session.id, c.last, method, b)
	}
	if forgotten := c.w.plant == plantKeptLeave && call.early; !forgotten && !c.session.conn.Closing() {
		c.session.Handle(rpc.Parse(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, c.last, method, b)))
	}
	c.w.settle()
}

// joins says whether a join is under way.
func (c *client) joins(channel string) bool {
	for _, call := range c.calls {
		if call.method == rpc.MethodJoin && call.channel == channel {
			return true
		}
	}
	return false
}

// leaves says whether a leave is under way.
func (c *client) leaves(channel string) bool {
	for _, call := range c.calls {
		if call.method == rpc.MethodLeave && call.channel == channel {
			return true
		}
	}
	return false
}

// read takes what the server has sent.
func (c *client) read() {
	s, line := c.session, c.line
	for {
		f := line.take()
		if len(f) == 0 {
			return
		}
		if line.slow {
			c.w.settle() // the writer offers the next piece
		}
		for len(f) > 0 {
			if c.session != s {
				return
			}
			var opcode byte
			var payload []byte
			opcode, payload, f = nextFrame(f)
			if c.w.plant == plantCursor && c.joinAnswered && strings.Contains(string(payload), `"method":"chat"`) {
				c.joinAnswered = false
				continue
			}
			c.frame(opcode, payload)
		}
	}
}

// nextFrame takes one frame off the front.
func nextFrame(b []byte) (opcode byte, payload, rest []byte) {
	n, head := int(b[1]), 2
	switch n {
	case 126:
		n, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		n, head = int(binary.BigEndian.Uint64(b[2:])), 10
	}
	return b[0] &^ wstest.Final, b[head : head+n], b[head+n:]
}

func (c *client) frame(opcode byte, payload []byte) {
	if opcode == wstest.Close {
		c.w.tracef("%s/%s is closed with %d", c.user, c.session.id, binary.BigEndian.Uint16(payload))
		c.w.count(fmt.Sprint("closed with ", binary.BigEndian.Uint16(payload)))
		if !c.node.over {
			c.disconnect(false)
		}
		return
	}
	c.w.tracef("%s/%s gets %s", c.user, c.session.id, payload)
	var m struct {
		ID     int
		Method string
		Params json.RawMessage
		Result json.RawMessage
		Error  *rpc.Error
	}
	c.decode(payload, &m)
	switch {
	case m.Method == rpc.PushChat:
		var p rpc.ChatPush
		c.decode(m.Params, &p)
		c.hears(&p)
	case m.Method == rpc.PushChanged:
		var p rpc.ChangedPush
		c.decode(m.Params, &p)
		c.hearsChange(&p)
	case m.Method == rpc.PushReacted:
		var p rpc.ReactedPush
		c.decode(m.Params, &p)
		c.hearsReaction(&p)
	case m.Method == rpc.PushSettings:
		var p rpc.SettingsPush
		c.decode(m.Params, &p)
		c.hearsSettings(&p)
	case m.Method == rpc.PushSanctioned:
		var p rpc.SanctionedPush
		c.decode(m.Params, &p)
		c.hearsSanction(&p)
	case m.Method == rpc.PushRemoved:
		var p rpc.RemovedPush
		c.decode(m.Params, &p)
		c.sees(m.Method, p.Channel, p.Seq, "")
		c.removed(&p)
	case m.Method != "":
		var p rpc.LeftPush // as the others, as far as they go
		c.decode(m.Params, &p)
		c.sees(m.Method, p.Channel, p.Seq, p.User)
		c.sawLeave(m.Method, &p)
	default:
		call := c.calls[m.ID]
		if call == nil {
			c.w.fail("%s: an answer to call %d, which waits for none", c.user, m.ID)
		}
		delete(c.calls, m.ID)
		c.joinAnswered = call.method == rpc.MethodJoin
		c.answered(call, m.Result, m.Error)
	}
}

func (c *client) decode(b []byte, v any) {
	if err := json.Unmarshal(b, v); err != nil {
		c.w.fail("%s gets %q: %v", c.user, b, err)
	}
}

// room is the room of a push, which only a member gets.
func (c *client) room(channel string, seq int64) (*room, *channel) {
	r := c.rooms[channel]
	if r == nil || !r.member {
		c.w.fail("%s/%s gets a push of channel %s at %d and is not a member", c.user, c.session.id, channel, seq)
	}
	if seq < r.pushed {
		c.w.fail("%s/%s gets a push of channel %s at %d after one at %d", c.user, c.session.id, channel, seq, r.pushed)
	}
	ch := c.w.channel(channel)
	if stay, had := ch.stayAt(c.session.id, seq); !had || stay.from > r.joined {
		c.w.fail("%s/%s gets a push of channel %s at %d, where the log does not have it as a member", c.user, c.session.id, channel, seq)
	}
	if seq > max(r.pushed, r.joined) {
		c.compareMembers(r, ch, channel, seq-1)
	}
	r.pushed, r.since = seq, max(r.since, seq)
	return r, ch
}

// hears takes a chat: it must be the next one of the log that the user may see.
func (c *client) hears(p *rpc.ChatPush) {
	r, ch := c.room(p.Channel, p.Seq)
	next := ch.seen(c.user, r.cursor, p.Seq)
	if len(next) != 1 || !sameMessage(next[0], p.Message) {
		c.w.fail("%s/%s hears %d (%s) in %s after %d; the log has %s there", c.user, c.session.id, p.Seq, p.ID, p.Channel, r.cursor, show(next))
	}
	if want := ch.prev(p.Seq); p.Prev != want {
		c.w.fail("%s/%s hears %d in %s, which follows %d, not %d", c.user, c.session.id, p.Seq, p.Channel, want, p.Prev)
	}
	c.heardChanges(r, ch, p.Seq)
	r.cursor = p.Seq
	r.view.put(p.Message, p.Seq)
	c.w.count("messages heard")
}

// sees takes a joined, left or presence push.
func (c *client) sees(method, channel string, seq int64, user string) {
	r, ch := c.room(channel, seq)
	if missed := ch.seen(c.user, r.cursor, seq); len(missed) > 0 {
		c.w.fail("%s/%s sees %s at %d of %s and has not heard %s", c.user, c.session.id, method, seq, channel, show(missed))
	}
	c.heardChanges(r, ch, seq)
	switch method {
	case rpc.PushJoined:
		r.members[user] = true
	case rpc.PushLeft:
		delete(r.members, user)
	case rpc.PushPresence:
		r.crowded = true
	}
}

func sameMessage(a, b rpc.Message) bool { return reflect.DeepEqual(a, b) }

func show(messages []rpc.Message) string {
	s := "["
	for _, m := range messages {
		s += fmt.Sprintf(" %d:%s", m.Seq, m.ID)
	}
	return s + " ]"
}
