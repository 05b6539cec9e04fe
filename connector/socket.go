package connector

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// errFlood ends a connection that sends bytes without end and no message.
var errFlood = errors.New("too many bytes without a message")

// socket is a connection as gorilla/websocket sees it. It counts what is read
// since the last message: the library reads empty continuation frames for ever
// within one message. And it hands the control frames that the library writes
// (pongs, close frames) to the connection's queue, so that they never stand
// inside another frame.
type socket struct {
	net.Conn
	raw   syscall.RawConn // of Conn
	limit int
	read  int // since the last message; owned by the reading goroutine
	queue atomic.Pointer[conn]
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if s.queue.Load() == nil {
		return n, err
	}
	if s.read += n; s.read > s.limit {
		return 0, errFlood
	}
	return n, err
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

// listener makes sockets of accepted connections.
type listener struct {
	net.Listener
	limit int
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &socket{Conn: c, raw: raw, limit: l.limit}, nil
}
