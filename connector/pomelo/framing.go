package pomelo

import "github.com/parley-chat/parley/connector/ws"

// Framing is how packages go on the wire: the same bytes for all connections of
// one framing. It is what a room.Dialect of pomelo clients is made of.
type Framing uint8

// Framings.
const (
	// Bare packages follow each other: TCP.
	Bare Framing = iota
	// Framed packages are binary frames of a WebSocket, one in each: clients drop
	// what comes after the first.
	Framed
)

// AppendPush appends a push to a route, of at most 255 bytes, whose body write
// appends: a JSON object.
func (f Framing) AppendPush(b []byte, route string, write func([]byte) []byte) []byte {
	return f.append(b, data, func(b []byte) []byte {
		b = append(b, push<<typeShift, byte(len(route)))
		b = append(b, route...)
		start := len(b)
		return escape(write(b), start)
	})
}

// AppendResponse appends the response to the request of an id. write appends its
// body, a JSON object.
func (f Framing) AppendResponse(b, id []byte, write func([]byte) []byte) []byte {
	return f.append(b, data, func(b []byte) []byte {
		b = append(append(b, response<<typeShift), id...)
		start := len(b)
		return escape(write(b), start)
	})
}

// append appends a package, whose body write appends.
func (f Framing) append(b []byte, k kind, write func([]byte) []byte) []byte {
	if f == Bare {
		return appendPackage(b, k, write)
	}
	return ws.AppendBinary(b, func(b []byte) []byte { return appendPackage(b, k, write) })
}

var heartbeats = [...][]byte{Bare: Bare.append(nil, heartbeat, nil), Framed: Framed.append(nil, heartbeat, nil)}

// heartbeat is one, which is shared and never changes.
func (f Framing) heartbeat() []byte { return heartbeats[f] }
