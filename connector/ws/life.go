package ws

import (
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

const (
	slowest  = 64 << 10 // bytes a second that a client reads at least
	inFlight = 8 << 20  // bytes that are with the kernels of both sides at most
)

// life is what is known of a peer that is asked for signs of life. Its owner
// calls [Conn.Probe].
type life struct {
	pinged   bool // and not yet ponged
	pingedAt time.Time
	readAt   int // bytes that were sent or queued at the ping
	read     int // and at the newest one that was answered: the peer has read these
}

// Probe looks after the connection: it cuts one whose write is stuck, pings the
// peer when the last ping was so long ago or wanted says so of its time, and
// closes with 3012 when a pong has not come within patience and the time that
// the bytes before it may take. One goroutine calls it, now and then.
func (c *Conn) Probe(now time.Time, every, patience time.Duration, wanted func(last time.Time) bool) {
	l := &c.life
	switch {
	case c.stuck(now):
		c.Abort()
	case l.pinged && c.ponged.Load():
		l.pinged, l.read = false, l.readAt
	case l.pinged && (c.handling.Load() || c.blocked()):
		l.pingedAt = now // what it sends is not read now; if it takes nothing either, it is stuck
	case l.pinged && now.Sub(l.pingedAt) > patience+slowness(l.readAt-l.read):
		c.Close(rpc.CloseNoPong, "no pong")
	case !l.pinged && (now.Sub(l.pingedAt) > every || wanted(l.pingedAt)):
		l.pinged, l.pingedAt, l.readAt = true, now, c.sentSoFar()
		c.ponged.Store(false)
		c.Send(appendFrame(nil, opPing, nil))
	}
}

// slowness is how much longer a pong may take that comes after so many bytes
// which the peer may not have read yet.
func slowness(unread int) time.Duration {
	return time.Duration(min(unread, inFlight)) * time.Second / slowest
}
