package ws

import (
	"bytes"
	"errors"
	"net"
	"sync"
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
	ahead  []byte  // what was read and the library has not got; owned by the reading goroutine
	buffer *buffer // that it is in; nil: there is none
}

// buffer is what a socket reads ahead into. One from which nothing comes has none.
type buffer [bufferBytes]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// Read hands the library one frame at most: it has nothing of the next one, which
// waits here.
func (s *socket) Read(p []byte) (int, error) {
	if s.queue.Load() == nil {
		return s.Line.Read(p)
	}
	if len(p) >= bufferBytes && len(s.ahead) == 0 {
		return s.readOn(p)
	}
	if len(s.ahead) == 0 {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n, bad := s.frames.frame(p[:copy(p, s.ahead)])
	s.take(n)
	return n, bad
}

// readOn reads the payload of a large frame into p, which is no longer than that.
func (s *socket) readOn(p []byte) (int, error) {
	n, err := s.Line.Read(p)
	if n == 0 {
		return 0, err
	}
	if bad := s.account(n); bad != nil {
		return 0, bad
	}
	end, bad := s.frames.frame(p[:n])
	s.ahead = bytes.Clone(p[end:n]) // nothing, as long as the library asks for no more than the frame has
	if bad != nil {
		return end, bad
	}
	return end, err
}

// take takes n bytes out of what was read ahead.
func (s *socket) take(n int) {
	if s.ahead = s.ahead[n:]; len(s.ahead) == 0 && s.buffer != nil {
		buffers.Put(s.buffer)
		s.ahead, s.buffer = nil, nil
	}
}

// account counts n bytes that were read, and waits where they are too many at once.
func (s *socket) account(n int) error {
	if s.read += n; s.read > s.limit {
		return errFlood
	}
	s.pace.wait(n)
	return nil
}

// fill waits for bytes and reads them ahead: what is there already must be less than a
// buffer.
func (s *socket) fill() error {
	if s.buffer == nil {
		s.buffer = buffers.Get().(*buffer)
	}
	have := copy(s.buffer[:], s.ahead)
	n, err := s.Line.Read(s.buffer[have:])
	s.ahead = s.buffer[:have+n]
	if n == 0 {
		s.take(0) // the buffer, unless something is in it
		return err
	}
	return s.account(n)
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
