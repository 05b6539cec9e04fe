package ws

import (
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// bufferBytes is how much a connection reads at once; frames are small.
	bufferBytes = 512
	// libraryBytes is the read buffer that the library keeps for as long as the
	// connection lasts, thousands of which are idle: it has to hold a control frame.
	libraryBytes = 144
)

// Options are what a connection is bounded by, and what it shares with others.
type Options struct {
	Message  int // bytes of a message that is received
	Queue    int // bytes that may wait to be sent
	ReadRate int // bytes a second that are read, four times that at once; 0: any
	Flushers *Flushers
	Budget   *Budget     // of all queues together; nil: none
	Requests *quota.Pool // of what all connections ask; nil: none
	Reading  *quota.Pool // of the messages that are being read of all; nil: none
	Parking  *Parking    // of what nothing comes from; nil: it is read all the time
	OnSlowed func()      // called when reading waits for ReadRate; nil: nothing to do
}

// Upgrader makes WebSockets of requests that a [Listener] has accepted. Safe for
// concurrent use.
type Upgrader struct{ upgrader websocket.Upgrader }

// NewUpgrader returns one that agrees to a subprotocol; "": to none. It leaves the Origin of
// requests to its caller.
func NewUpgrader(subprotocol string, handshake time.Duration) *Upgrader {
	u := websocket.Upgrader{
		ReadBufferSize: libraryBytes, WriteBufferSize: bufferBytes, WriteBufferPool: new(sync.Pool),
		HandshakeTimeout: handshake, CheckOrigin: func(*http.Request) bool { return true },
	}
	if subprotocol != "" {
		u.Subprotocols = []string{subprotocol}
	}
	return &Upgrader{u}
}

// Upgrade answers the request. With an error the request has been answered, too.
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	ws, err := u.upgrader.Upgrade(taker{w}, r, nil)
	if err != nil {
		return nil, err
	}
	s := ws.NetConn().(*socket)
	c := New(s.Line, o)
	c.ws, c.socket = ws, s
	s.limit = 4*o.Message + 64<<10
	s.pace = newPace(o)
	s.queue.Store(c)
	ws.SetReadLimit(int64(o.Message))
	ws.SetPongHandler(func(string) error {
		if !c.ponged.Swap(true) { // one pong for each ping
			s.read = 0
		}
		return nil
	})
	pong := ws.PingHandler()
	pings := rate.NewLimiter(rate.Every(pingWindow/pingBurst), pingBurst)
	ws.SetPingHandler(func(data string) error {
		if !pings.Allow() {
			c.Close(rpc.CloseMisuse, "too many pings")
			return errFlood
		}
		s.read = 0
		return pong(data)
	})
	return c, nil
}
