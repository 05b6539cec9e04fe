package jsonrpc

import (
	"errors"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

// Conn is the front of a session over one WebSocket.
type Conn struct{ *ws.Conn }

var _ front.Front = Conn{}

// Dialect is the one that all connections of this kind share.
func (Conn) Dialect() room.Dialect { return Dialect{} }

// Manner is that of the documented protocol.
func (Conn) Manner() front.Manner { return front.Manner{} }

// Serve reads requests until the connection ends, or is parked.
func (c Conn) Serve(handle func(rpc.Request, *rpc.Error), again func()) (end front.Ending, parked bool) {
	c.Park(again)
	err := c.Read(func(frame []byte) {
		if !c.Closing() {
			handle(rpc.Parse(frame))
		}
	})
	if errors.Is(err, ws.ErrParked) {
		return end, true
	}
	return front.Ending{Ours: c.ClosedWith(), Theirs: ws.CodeOf(err), Clean: ws.InOrder(err)}, false
}

// Answer sends a response with a result.
func (c Conn) Answer(id []byte, write func([]byte) []byte) {
	c.Send(ws.TextFrame(rpc.AppendResponse(nil, id, write)))
}

// Refuse sends a response with an error.
func (c Conn) Refuse(id []byte, e *rpc.Error) { c.Send(ws.TextFrame(rpc.AppendError(nil, id, e))) }

// Push sends a notification.
func (c Conn) Push(method string, params any) { c.Send(Dialect{}.AppendPush(nil, method, params)) }
