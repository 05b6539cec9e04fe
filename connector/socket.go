package connector

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
// connection's queue, so that they never stand inside another frame.
type socket struct {
	net.Conn
	raw   syscall.RawConn // of Conn
	limit int
	read  int // since the last message; owned by the reading goroutine
	queue atomic.Pointer[conn]

	// Set before the connection is read as a WebSocket.
	rate   *rate.Limiter // of bytes; nil: no limit
	slowed func()        // called when reading waits
	frames frameHeads
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.queue.Load() == nil {
		return n, err
	}
	if s.read += n; s.read > s.limit {
		return 0, errFlood
	}
	s.pace(n)
	if good, bad := s.frames.check(p[:n]); bad != nil {
		return good, bad
	}
	return n, err
}

// pace waits until n bytes more may be read. What one read brings is worth
// less than a moment.
func (s *socket) pace(n int) {
	if s.rate == nil || n == 0 {
		return
	}
	now := time.Now()
	if wait := s.rate.ReserveN(now, min(n, s.rate.Burst())).DelayFrom(now); wait > 0 {
		s.slowed()
		time.Sleep(wait)
	}
}

func (s *socket) Write(p []byte) (int, error) {
	c := s.queue.Load()
	if c == nil {
		return s.Conn.Write(p)
	}
	frame := append([]byte(nil), p...)
	if p[0]&0x0f == opClose {
		c.sendClose(frame)
	} else {
		c.send(frame)
	}
	return len(p), nil
}

// sendBuffer is what the kernel keeps of what a client has not taken. Left to
// itself it grows to several megabytes and asks for more only when a third is
// free, which takes a client of 64 KiB/s longer than writeTimeout.
const sendBuffer = 256 << 10

// listener makes sockets of accepted connections.
type listener struct {
	net.Listener
	limit     int
	accepting *accepting
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		l.accepting.failed(err)
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &socket{Conn: c, raw: raw, limit: l.limit}, nil
}
