package pomelo

import (
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

// Conn is a client's connection. With Dialect, Serve, Answer, Refuse and Push of
// an application it is a front.Front: it brings the rest.
type Conn struct {
	*ws.Conn
	framing Framing
	host    string
}

// Framing is how packages go to this client.
func (c *Conn) Framing() Framing { return c.framing }

// Host is the host and port that the client has connected to, as far as is known:
// that of its request, or this side's address.
func (c *Conn) Host() string { return c.host }

// Exchange reads until the connection ends, and returns how it ended. greet gets
// the handshake, and answers it with a code and a JSON object for the client's
// application, or nil; it may wait. handle gets each request after that, or
// the error to answer it with. Both run on the calling goroutine.
func (c *Conn) Exchange(greet func(Handshake) (code int, user []byte), handle func(Request, *rpc.Error)) front.Ending {
	return front.Ending{}
}

// Respond answers a request with a body, a JSON object that write appends.
func (c *Conn) Respond(id []byte, write func([]byte) []byte) {
	c.Send(c.framing.AppendResponse(nil, id, write))
}

// PushTo sends a push to a route. Before the client has acknowledged the handshake
// it is dropped.
func (c *Conn) PushTo(route string, write func([]byte) []byte) {
	c.Send(c.framing.AppendPush(nil, route, write))
}
