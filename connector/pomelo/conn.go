package pomelo

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// Heartbeat is how often clients are to send one. Pages in the background may
	// do so once a minute, and no client must be thrown out for that: a WebSocket is
	// asked with pings instead.
	Heartbeat = 25 * time.Second
	// silence is for how long nothing may come over TCP.
	silence = 5 * Heartbeat / 2
	// handshakeTimeout is for the handshake and its acknowledgement.
	handshakeTimeout = 10 * time.Second

	heartbeatRate = 5   // a second that are answered: two sides that both answer at once never stop
	idleRate      = 100 // packages a second that mean nothing
	idleBurst     = 1000
)

// state is how far a connection is.
type state = int32

const (
	inited   state = iota // nothing came
	greeting              // the handshake came, and is not answered
	waitAck               // it is answered with 200
	working               // the client has acknowledged that
)

// Conn is a client's connection. With Dialect, Serve, Answer, Refuse and Push of
// an application it is a front.Front: it brings the rest.
type Conn struct {
	*ws.Conn
	framing Framing
	host    string
	limit   int // bytes of a package that is received
	opened  time.Time
	state   atomic.Int32 // set by the reading goroutine
	heard   atomic.Int64 // when the newest package came, in Unix nanoseconds

	// Owned by the reading goroutine.
	greet      func(Handshake) (code int, user []byte)
	handle     func(Request, *rpc.Error)
	heartbeats *rate.Limiter // that are answered
	idle       *rate.Limiter // packages that mean nothing
}

// New speaks pomelo over a connection that nobody else uses yet. limit bounds the
// packages of the client, in bytes.
func New(c *ws.Conn, from ws.Arrival, limit int) *Conn {
	p := &Conn{
		Conn: c, host: from.Host, limit: limit, opened: time.Now(),
		heartbeats: rate.NewLimiter(heartbeatRate, heartbeatRate), idle: rate.NewLimiter(idleRate, idleBurst),
	}
	if !c.IsRaw() {
		p.framing = Framed
	}
	c.SayBye(p.bye)
	return p
}

// Framing is how packages go to this client.
func (c *Conn) Framing() Framing { return c.framing }

// Host is the host and port that the client has connected to, as far as is known:
// that of its request, or this side's address.
func (c *Conn) Host() string { return c.host }

// Heard is when the client's newest package came; zero: none did.
func (c *Conn) Heard() time.Time {
	if at := c.heard.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Exchange reads until the connection ends, and returns how it ended. greet gets
// the handshake, and answers it with a code and a JSON object for the client's
// application, or nil; it may wait. handle gets each request after that, or
// the error to answer it with. Both run on the calling goroutine.
func (c *Conn) Exchange(greet func(Handshake) (code int, user []byte), handle func(Request, *rpc.Error)) front.Ending {
	c.greet, c.handle = greet, handle
	var err error
	if c.framing == Framed {
		err = c.ReadBinary(c.frame)
	} else {
		err = c.ReadRaw(headBytes, c.head, func(p []byte) { c.take(kind(p[0]), p[headBytes:]) })
	}
	c.refuse(err)
	e := front.Ending{Ours: c.ClosedWith(), Theirs: ws.CodeOf(err), Clean: ws.InOrder(err)}
	if errors.Is(err, io.EOF) && c.framing == Bare {
		e.Theirs = websocket.CloseNormalClosure // TCP has no other
	}
	// The clients' libraries close without a code.
	e.Clean = e.Clean || e.Theirs == websocket.CloseNormalClosure || e.Theirs == websocket.CloseNoStatusReceived
	return e
}

// Respond answers a request with a body, a JSON object that write appends.
func (c *Conn) Respond(id []byte, write func([]byte) []byte) {
	c.Send(c.framing.AppendResponse(nil, id, write))
}

// PushTo sends a push to a route. Before the client has acknowledged the handshake
// it is dropped.
func (c *Conn) PushTo(route string, write func([]byte) []byte) {
	if c.state.Load() == working {
		c.Send(c.framing.AppendPush(nil, route, write))
	}
}

// Probe looks after the connection now and then, see front.Front. Over TCP there
// is nothing that clients answer: they send heartbeats on their own.
func (c *Conn) Probe(now time.Time, every, patience time.Duration, wanted func(last time.Time) bool) {
	if c.state.Load() != working && now.Sub(c.opened) > handshakeTimeout {
		c.Close(rpc.CloseNoHello, "no handshake in time")
	}
	if c.framing == Framed {
		c.Conn.Probe(now, every, patience, wanted)
	} else {
		c.Watch(now, silence)
	}
}

// head is how many bytes follow the head of a package.
func (c *Conn) head(b []byte) (body int, err error) {
	_, body, err = head([headBytes]byte(b), c.limit)
	return body, err
}

// frame takes a frame of a WebSocket.
func (c *Conn) frame(b []byte) {
	k, body, err := parse(b, c.limit)
	if err != nil {
		c.refuse(err)
		return
	}
	c.take(k, body)
}

// refuse closes for what a client should not have sent; err may be of another kind.
func (c *Conn) refuse(err error) {
	switch {
	case errors.Is(err, errLarge):
		c.Close(websocket.CloseMessageTooBig, "the package is too large")
	case errors.Is(err, errKind), errors.Is(err, errLength), errors.Is(err, errMessage), errors.Is(err, errID), errors.Is(err, errType):
		c.Close(websocket.CloseProtocolError, err.Error())
	}
}

// take takes a package. What does not fit the state is ignored, as pomelo does.
func (c *Conn) take(k kind, body []byte) {
	if c.Closing() {
		return
	}
	c.heard.Store(time.Now().UnixNano())
	switch at := c.state.Load(); {
	case k == handshake && at == inited:
		c.shake(body)
	case k == ack && at == waitAck:
		c.state.Store(working)
		c.Send(c.framing.heartbeat())
	case k == data && at == working:
		c.message(body)
	case k == heartbeat && at == working && c.heartbeats.Allow():
		c.Send(c.framing.heartbeat())
	case !c.idle.Allow():
		c.Close(rpc.CloseMisuse, "too many packages that mean nothing")
	}
}

// shake answers the handshake.
func (c *Conn) shake(body []byte) {
	c.state.Store(greeting)
	h, ok := parseHandshake(body)
	code, user := HandshakeRefused, []byte(nil)
	if ok {
		code, user = c.greet(h)
	}
	if code != HandshakeOK {
		c.Close(rpc.CloseBadToken, "the handshake is refused")
		return
	}
	c.state.Store(waitAck) // or one who closes meanwhile would answer a second time
	c.Send(c.framing.append(nil, handshake, func(b []byte) []byte { return appendAnswer(b, h, code, Heartbeat, user) }))
}

// message takes the body of a data package.
func (c *Conn) message(body []byte) {
	r, bad, err := parseMessage(body)
	if err != nil {
		c.refuse(err)
		return
	}
	c.handle(r, bad)
}

// bye is what the client is told when its connection is closed: while it shakes
// hands that it is refused, then with a kick.
func (c *Conn) bye(code int, reason string) []byte {
	var b []byte
	switch c.state.Load() {
	case greeting:
		if !returns(code) || code == rpc.CloseExpired { // it would come back with the same token
			b = c.framing.append(nil, handshake, func(b []byte) []byte { return appendAnswer(b, Handshake{}, HandshakeRefused, 0, nil) })
		}
	case working:
		b = c.framing.append(nil, kick, func(b []byte) []byte { return appendKick(b, code, reason) })
	}
	if c.framing == Framed {
		b = append(b, ws.CloseFrame(code, reason)...)
	}
	return b
}

// returns reports whether a code means that the client may come back.
func returns(code int) bool { return code >= rpc.CloseShutdown-1 && code < rpc.CloseBadToken }
