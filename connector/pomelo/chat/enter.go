package chat

import (
	"encoding/json"
	"strconv"

	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	maxUsers   = 1000     // in the answer to enter
	usersBytes = 24 << 10 // that they take there
	again      = 0        // the number of an enter of a room that the user is in
)

// hello says hello for the client; nil: it was taken.
func (c *Conn) hello(p rpc.HelloParams) *rpc.Error {
	c.mu.Lock()
	c.refusal = errNoAnswer
	c.mu.Unlock()
	c.ask(rpc.Request{ID: idOf(forHello, 0, nil), Method: rpc.MethodHello, Params: rpc.AppendJSON(nil, p)}, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refusal
}

// errNoAnswer is what a hello is taken for that the session did not answer: it ends.
var errNoAnswer = rpc.Unavailable(1000)

// enter takes the user into a room, and out of the one before.
func (c *Conn) enter(r *pomelo.Request) {
	var p struct {
		Username string `json:"username"`
		Room     string `json:"rid"`
		Token    string `json:"token"`
	}
	bad := rpc.Decode(r.Body, &p)
	if bad == nil && p.Room == "" {
		bad = rpc.InvalidParams("rid", "must not be empty")
	}
	if bad == nil {
		bad = c.identify(p.Username, p.Token)
	}
	switch {
	case bad != nil:
		c.reply(r.ID, appendError(nil, bad))
		return
	case c.options.Single && c.inRoom() != p.Room && c.options.Rooms.Taken(c.user, p.Room):
		c.reply(r.ID, appendTaken(nil))
		return
	}
	if bad := c.leaveFor(p.Room); bad != nil {
		c.refuse(r.ID, bad)
		return
	}
	number := c.moveTo(p.Room)
	join := c.joinOf(p.Room, number)
	c.ask(rpc.Request{ID: idOf(forEnter, number, r.ID), Method: rpc.MethodJoin, Params: rpc.AppendJSON(nil, join)}, nil)
}

// identify says hello where that is to be done, and refuses who is somebody else.
func (c *Conn) identify(username, token string) *rpc.Error {
	switch tokens := c.options.Tokens; {
	case tokens && token != "":
		if bad := c.hello(rpc.HelloParams{Token: token}); bad != nil {
			return bad
		}
	case tokens && c.user == "":
		return rpc.Unauthenticated("a token comes with the handshake, as user.token, or with what enters a room, as token")
	case !tokens && c.user == "":
		return c.hello(rpc.HelloParams{User: username})
	}
	if username != "" && username != c.user {
		return &rpc.Error{Code: rpc.CodeForbidden, Message: "forbidden: this connection is another user's"}
	}
	return nil
}

// inRoom is the room that the user has entered; "": none.
func (c *Conn) inRoom() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.room
}

// leaveFor leaves the room that the user is in, for another one. Its error says that
// they have to stay there for now: else they would be in both.
func (c *Conn) leaveFor(room string) *rpc.Error {
	c.mu.Lock()
	before, number := c.room, c.entered
	c.stays = nil
	c.mu.Unlock()
	if before == "" || before == room {
		return nil
	}
	c.ask(rpc.Request{ID: idOf(forLeave, number, nil), Method: rpc.MethodLeave, Params: rpc.AppendJSON(nil, rpc.LeaveParams{Channel: before})}, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stays != nil && (c.stays.Code == rpc.CodeRateLimited || c.stays.Code == rpc.CodeUnavailable) {
		return c.stays
	}
	return nil // refused otherwise, they are not there
}

// moveTo notes that the user is in a room from now on.
func (c *Conn) moveTo(room string) (number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room == room {
		return again
	}
	c.room, c.arrived = room, false
	c.entered++
	return c.entered
}

// joinOf asks for the newest messages of a room, or for what the user has missed
// there. Who is in it has seen them.
func (c *Conn) joinOf(room string, number uint32) rpc.JoinParams {
	limit, back := c.options.History, mark{}
	join := rpc.JoinParams{Channel: room, Limit: &limit}
	if number == again {
		limit = 0
		return join
	}
	if seq, epoch := c.options.Memory.seen(c.user, room); epoch != "" {
		join.Since, join.Epoch = &seq, epoch
		back = mark{c.Heard().Add(-onItsWay), room, epoch, seq}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back = back
	return join
}

// haveEntered answers who has entered a room with who is there, and then shows
// them the messages of before, unless they have gone elsewhere meanwhile.
func (c *Conn) haveEntered(number uint32, id, result []byte) {
	var r rpc.JoinResult
	_ = json.Unmarshal(result, &r) // which we have written
	d := c.dialect()
	user, here := c.haveArrived(number, r.Channel)
	c.respond(id, appendUsers(nil, r.Members, user))
	if d.own || !here {
		return // who speaks so asks for it
	}
	for i := range r.Messages {
		if m := &r.Messages[i]; m.Deleted == nil {
			c.PushTo(d.routes.OnChat, func(b []byte) []byte { return appendChat(b, m, true) })
		}
	}
}

// appendUsers appends the answer to who has entered: members, of whom there may be
// more, and the user among them.
func appendUsers(b []byte, members []rpc.Member, user string) []byte {
	users, self := []byte(nil), appendString(nil, user)
	listed, n := false, 0
	size := onWire(self) + 1
	for i := range members {
		name := appendString(nil, members[i].User)
		if members[i].User == user {
			listed = true
		} else if size += onWire(name) + 1; n == maxUsers-1 || size > usersBytes {
			break
		} else {
			n++
		}
		users = append(append(users, name...), ',')
	}
	if !listed {
		users = append(append(users, self...), ',')
	}
	return append(append(append(b, `{"users":[`...), users[:len(users)-1]...), `]}`...)
}

// onWire is how many bytes JSON takes once what is above U+FFFF is escaped.
func onWire(b []byte) int {
	n := len(b)
	for _, c := range b {
		if c >= 0xf0 {
			n += len(`\ud83d\ude00`) - 4
		}
	}
	return n
}

// send sends a message to the room that the user has entered.
func (c *Conn) send(r *pomelo.Request) {
	var p struct {
		Content string `json:"content"`
		Target  string `json:"target"`
	}
	bad := rpc.Decode(r.Body, &p)
	room := c.inRoom()
	switch {
	case bad != nil:
	case p.Target == "":
		bad = rpc.InvalidParams("target", "must be a user, or * for all")
	case room == "":
		bad = rpc.NotJoined()
	}
	if bad != nil {
		c.reply(r.ID, appendError(nil, bad))
		return
	}
	if p.Target == everybody {
		p.Target = ""
	}
	c.sent++
	chat := rpc.ChatParams{Channel: room, Body: p.Content, To: p.Target, ID: c.sends + strconv.FormatUint(c.sent, 10)}
	c.ask(rpc.Request{ID: idOf(forSend, 0, r.ID), Method: rpc.MethodChat, Params: rpc.AppendJSON(nil, chat)}, nil)
}
