package chat

import (
	"net"
	"strconv"

	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/schema/rpc"
)

// DefaultHistory is how many messages a user who enters is shown.
const DefaultHistory = 20

// MaxHistory is how many they may be at most.
const MaxHistory = 300

// Settings are what an operator decides.
type Settings struct {
	Routes Routes
	// Entry is the host and port that clients are sent to by the gate; "": those
	// that they have connected to.
	Entry string
	// History is how many messages a user who enters is shown.
	History int
	// Single refuses a user who is in the room already, on this connector.
	Single bool
}

// Rooms is what a connector knows of its rooms. Its methods may be called
// concurrently, and take locks that are held while a session answers or pushes.
type Rooms interface {
	// Taken reports whether a session of the user is in the room.
	Taken(user, room string) bool
	// Position is the seq up to which the room's members have been pushed
	// everything, and the epoch that it counts in; 0: it has no members here.
	Position(room string) (seq int64, epoch string)
}

// Options are what connections have in common.
type Options struct {
	Settings
	// Tokens says that users are known by tokens.
	Tokens bool
	Rooms  Rooms
	Memory *Memory
}

// entryBody is the answer of the gate to a client that has connected to host.
func (o *Options) entryBody(host string) []byte {
	at := host
	if o.Entry != "" {
		at = o.Entry
	}
	name, port, _ := net.SplitHostPort(at)
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || name == "" {
		return appendError(nil, &rpc.Error{Code: rpc.CodeInternal, Message: "it is not known here where clients connect: the server needs --pomelo-entry"})
	}
	b := appendString([]byte(`{"code":200,"host":`), name)
	return append(strconv.AppendUint(append(b, `,"port":`...), n, 10), '}')
}

// dialect is that of a connection.
func (o *Options) dialect(f pomelo.Framing, own bool) Dialect {
	return Dialect{framing: f, routes: &o.Routes, own: own}
}
