package chat

import (
	"strings"
	"sync"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema/rpc"
)

// Conn is the front of one client's session. It asks the session for what the
// client asks, in requests of its own, and answers with what becomes of them.
type Conn struct {
	*pomelo.Conn
	options *Options
	sends   string // begins the ids of the messages that the client sends

	// Owned by the reading goroutine.
	ask  func(rpc.Request, *rpc.Error) // the session
	sent uint64                        // messages
	free admission.Flood               // answers that no session paces

	mu      sync.Mutex
	user    string     // "": not known yet
	room    string     // that the user has entered; "": none
	arrived bool       // that was answered
	entered uint32     // counts the rooms that were entered
	own     bool       // it is told everything in Parley's own terms
	refusal *rpc.Error // of the last hello; nil: it was taken
	stays   *rpc.Error // why the room before could not be left; nil: it could
	trail   trail
	back    mark // how far the user had got in the room that is being entered
}

var _ front.Front = (*Conn)(nil)

// New returns the front of a client.
func New(c *pomelo.Conn, o *Options) *Conn {
	return &Conn{Conn: c, options: o, sends: ulid.Make().String() + "-"}
}

// Dialect is that of all connections of this kind.
func (c *Conn) Dialect() room.Dialect { return c.dialect() }

func (c *Conn) dialect() Dialect {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.options.dialect(c.Framing(), c.own)
}

// ownPage is the size of a result in Parley's own terms: decoders of clients pass
// all characters of one as arguments of one call.
const ownPage = 32 << 10

// Manner is what clients of this kind are used to.
func (c *Conn) Manner() front.Manner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own {
		return front.Manner{Protocol: front.Pomelo, Page: ownPage, Patient: true}
	}
	return front.Manner{Protocol: front.Pomelo, Members: maxUsers, Sends: c.sends, Patient: true}
}

// Serve reads requests until the connection ends: one whose client sends heartbeats is
// never parked.
func (c *Conn) Serve(handle func(rpc.Request, *rpc.Error), _ func()) (end front.Ending, parked bool) {
	c.ask = handle
	end = c.Exchange(c.greet, c.take)
	c.remember(end)
	return end, false
}

// greet answers the handshake. A token in it is the user's.
func (c *Conn) greet(h pomelo.Handshake) (code int, user []byte) {
	var given struct {
		Token string `json:"token"`
	}
	if !c.options.Tokens || rpc.Decode(h.User, &given) != nil || given.Token == "" {
		return pomelo.HandshakeOK, nil // a client of the gate has none
	}
	if c.hello(rpc.HelloParams{Token: given.Token, Client: h.Type}) != nil {
		return pomelo.HandshakeRefused, nil
	}
	return pomelo.HandshakeOK, nil
}

// take takes one request, or the error to answer it with.
func (c *Conn) take(r pomelo.Request, bad *rpc.Error) {
	routes := &c.options.Routes
	method, own := strings.CutPrefix(r.Route, ownRoutes+"rpc.")
	switch {
	case bad != nil:
		c.ask(rpc.Request{ID: idOf(forChat, 0, r.ID)}, bad)
	case r.Route == routes.QueryEntry:
		c.queryEntry(&r)
	case r.Route == routes.Enter:
		c.enter(&r)
	case r.Route == routes.Send:
		c.send(&r)
	case own && method == rpc.MethodHello:
		c.speakOwn()
		c.ask(rpc.Request{ID: idOf(forOwnHello, 0, r.ID), Method: method, Params: r.Body}, nil)
	case own:
		c.ask(rpc.Request{ID: idOf(forOwn, 0, r.ID), Method: method, Params: r.Body}, nil)
	default: // which counts as what is asked before hello does
		c.ask(rpc.Request{ID: idOf(forChat, 0, r.ID)}, nil)
	}
}

// speakOwn has the client be told everything in Parley's own terms from now on.
func (c *Conn) speakOwn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = true
}

// maxFree is how many answers a client may get within admission.FloodWindow that
// take no request to the session, which would pace them.
const maxFree = 100

// reply is one of these answers. Who asks for more of them is closed.
func (c *Conn) reply(id, body []byte) {
	if c.free.Exceeds(maxFree) {
		c.Close(rpc.CloseMisuse, "too many requests for nothing but an entry")
		return
	}
	c.respond(id, body)
}

// queryEntry answers as a gate does.
func (c *Conn) queryEntry(r *pomelo.Request) {
	var p struct {
		UID any `json:"uid"`
	}
	switch bad := rpc.Decode(r.Body, &p); {
	case bad != nil:
		c.reply(r.ID, appendError(nil, bad))
	case p.UID == nil || p.UID == "":
		c.reply(r.ID, appendError(nil, rpc.InvalidParams("uid", "must be there")))
	default:
		c.reply(r.ID, c.options.entryBody(c.Host()))
	}
}

// respond answers a request of the client, unless it is a notify.
func (c *Conn) respond(id, body []byte) {
	if len(id) > 0 {
		c.Respond(id, func(b []byte) []byte { return append(b, body...) })
	}
}

func (c *Conn) refuse(id []byte, e *rpc.Error) { c.respond(id, appendError(nil, e)) }

// Push sends a push to this client alone.
func (c *Conn) Push(method string, params any) {
	d := c.dialect()
	if removed, is := params.(rpc.RemovedPush); is {
		user := c.leftRoom(removed.Channel)
		if user != "" && !d.own {
			c.PushTo(d.routes.OnLeave, func(b []byte) []byte { return appendPresence(b, d.routes.OnLeave, user, removed.Reason) })
			return
		}
	}
	if route, write := d.push(method, params); route != "" {
		c.PushTo(route, write)
	}
}

// leftRoom notes that the user is no longer in a room, and returns who it is; "":
// it was not the room that they had entered.
func (c *Conn) leftRoom(room string) (user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room != room {
		return ""
	}
	c.room = ""
	return c.user
}
