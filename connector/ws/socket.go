package ws

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// errFlood ends a connection that sends bytes without end and no message.
var errFlood = errors.New("too many bytes without a message")

// socket is a connection as gorilla/websocket sees it. It counts what is read
// since the last message: the library reads empty continuation frames for ever
// within one message. It waits where a client sends more than it may, and looks
// at the heads of frames for what the library does not refuse. And it hands the
// control frames that the library writes (pongs, close frames) to the
// connection's queue, so that they never end up inside another frame.
type socket struct {
	Line
	limit int // bytes that are read without a message
	read  int // since the last message; owned by the reading goroutine
	queue atomic.Pointer[Conn]

	// Set before the connection is read as a WebSocket.
	pace   pace
	frames frameHeads
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Line.Read(p)
	if s.queue.Load() == nil {
		return n, err
	}
	if s.read += n; s.read > s.limit {
		return 0, errFlood
	}
	s.pace.wait(n)
	if good, bad := s.frames.check(p[:n]); bad != nil {
		return good, bad
	}
	return n, err
}

// pace is how fast a client is read.
type pace struct {
	rate   *rate.Limiter // of bytes; nil: no limit
	slowed func()        // called when reading waits; nil: nothing to do
}

func newPace(o Options) pace {
	if o.ReadRate <= 0 {
		return pace{}
	}
	return pace{rate.NewLimiter(rate.Limit(o.ReadRate), 4*o.ReadRate), o.OnSlowed}
}

// wait waits until n bytes more may be read. What one read brings is worth
// less than a moment.
func (p pace) wait(n int) {
	if p.rate == nil || n == 0 {
		return
	}
	now := time.Now()
	if wait := p.rate.ReserveN(now, min(n, p.rate.Burst())).DelayFrom(now); wait > 0 {
		if p.slowed != nil {
			p.slowed()
		}
		time.Sleep(wait)
	}
}

func (s *socket) Write(p []byte) (int, error) {
	c := s.queue.Load()
	if c == nil {
		return s.Line.Write(p)
	}
	frame := append([]byte(nil), p...)
	if p[0]&0x0f == opClose {
		c.sendClose(frame)
	} else {
		c.Send(frame)
	}
	return len(p), nil
}

// line is a TCP connection.
type line struct {
	net.Conn
	raw syscall.RawConn
}

// TryWrite implements Line.
func (l *line) TryWrite(p []byte) (n int, err error) {
	broken := l.raw.Write(func(fd uintptr) bool {
		n, err = syscall.Write(int(fd), p)
		return true // whatever came of it: nobody waits here
	})
	switch {
	case broken != nil:
		return 0, broken
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return n, nil
}

// CloseWrite ends what is sent; the peer may go on sending.
func (l *line) CloseWrite() error {
	if tcp, ok := l.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
