// Package front says what stands between a session and its client: whatever
// carries the session, in whatever protocol its client speaks.
package front

import (
	"context"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema/rpc"
)

// Front carries one session. Its methods may be called concurrently, and do not
// wait unless they say so.
type Front interface {
	room.Outlet

	// Dialect is how the session is sent what happens in its channels.
	Dialect() room.Dialect
	// Manner is what its client is used to.
	Manner() Manner

	// Serve reads requests, hands each to handle on the calling goroutine, and
	// returns how the connection ended. A request that cannot be read comes with
	// the error to answer it with. Where nothing comes for a while it may return
	// that the connection is parked: it has not ended, and again is called, on a
	// goroutine of its own, when Serve is to be called again, which may be before
	// this call has returned.
	Serve(handle func(rpc.Request, *rpc.Error), again func()) (end Ending, parked bool)
	// Discard waits, for seconds at most, until the client has taken note of the
	// end, and lets go of the connection. It follows Serve.
	Discard()

	// Answer answers a request with the result that write appends, as JSON;
	// Refuse with an error. Push sends a notification.
	Answer(id []byte, write func([]byte) []byte)
	Refuse(id []byte, e *rpc.Error)
	Push(method string, params any)

	// Dismiss closes at once, for one whose place another takes.
	Dismiss(code int, reason string)
	// Closing reports whether nothing that is sent from now on arrives.
	Closing() bool
	// Probe looks after the connection now and then: it cuts one that is stuck,
	// and asks the client for a sign of life as often as every says, or when
	// wanted says so of the last time. Without one within patience it closes.
	Probe(now time.Time, every, patience time.Duration, wanted func(last time.Time) bool)

	// RoomNow reports whether an answer may be queued now.
	RoomNow() bool
	// AwaitRoom waits until an answer of up to size bytes may be queued, and
	// promises the room to it; false: the connection closes, or ctx ended.
	AwaitRoom(ctx context.Context, size int) bool
	// FreeRoom takes back what AwaitRoom promised: the answer is queued.
	FreeRoom(size int)
	// Waiting is how many bytes are queued.
	Waiting() int

	// Reserve counts bytes of what the client has asked for and is not answered
	// yet; false: they are too many. Release counts them no more.
	Reserve(n int) bool
	Release(n int)
}

// The protocols of clients, as metrics name them.
const (
	JSONRPC = "jsonrpc"
	Pomelo  = "pomelo"
)

// Manner is what a client is used to where clients differ. The zero value is the
// protocol as it is documented.
type Manner struct {
	Protocol string // its name among metrics; "": JSONRPC
	Page     int    // bytes of a result; 0: limits.page
	Members  int    // in the result of a join; 0: as many as the protocol says
	// Sends begins the ids of the messages that the client sends, where it is not to
	// be pushed those of them that are private; "": it is.
	Sends string
	// Patient: it may take its time until hello.
	Patient bool
}

// Ending is how a connection ended.
type Ending struct {
	// Ours is the code that this side began to close with; 0: the client ended
	// the connection, or it was cut.
	Ours int
	// Theirs is the code that the client closed with; 1006: it did not.
	Theirs int
	// Clean says that the client ended the connection on purpose.
	Clean bool
}
