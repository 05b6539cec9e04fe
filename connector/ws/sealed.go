package ws

import (
	"crypto/tls"
	"errors"
	"sync"
	"syscall"
)

const (
	recordBytes = 16 << 10 // that TLS encrypts at once, at most
	maxUnsent   = 64 << 10 // encrypted bytes that wait for the socket, at most
)

// errUnsent ends a connection whose peer asks for new keys again and again, and
// reads none of the answers.
var errUnsent = errors.New("too many TLS records wait for the peer to read")

// sealed is a connection over TLS below a WebSocket. TLS cannot take back a
// record that the socket has no room for. So a record whose bytes did not all
// leave counts as not taken: the next write, which begins with the same bytes,
// sends what is left of it and goes on after them.
type sealed struct {
	*tls.Conn
	wire  *wire
	taken int // bytes that the next write begins with, and that are encrypted already; owned by the writer
}

// newSealed takes over a connection of a [Listener], which nobody else writes to.
func newSealed(c *tls.Conn) *sealed {
	w := c.NetConn().(*wire)
	w.upgraded = true
	return &sealed{Conn: c, wire: w}
}

// TryWrite implements Line.
func (s *sealed) TryWrite(p []byte) (n int, err error) {
	if all, err := s.wire.flush(); !all || err != nil {
		return 0, err
	}
	n = min(s.taken, len(p))
	s.taken -= n
	for n < len(p) {
		record := p[n:min(n+recordBytes, len(p))]
		if _, err := s.Conn.Write(record); err != nil {
			return n, err
		}
		if s.wire.unsent() > 0 {
			s.taken = len(record)
			return n, nil
		}
		n += len(record)
	}
	return n, nil
}

// Write writes all of p, and waits for the socket.
func (s *sealed) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if err := s.wire.await(); err != nil {
			return n, err
		}
		took, err := s.TryWrite(p[n:])
		n += took
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// CloseWrite ends what is sent, also for TLS; the peer may go on sending.
func (s *sealed) CloseWrite() error {
	return errors.Join(s.Conn.CloseWrite(), s.wire.CloseWrite())
}

// Close cuts the connection. Telling the peer of it in TLS would wait for the
// socket.
func (s *sealed) Close() error { return s.wire.Close() }

// wire is the TCP connection below TLS. From the upgrade on a write to it never
// waits, since TLS holds a lock meanwhile that others need: what the socket does
// not take stays here.
type wire struct {
	*line
	upgraded bool // set while nobody writes

	mu   sync.Mutex
	rest []byte // that the socket has not taken
}

// Write is called by TLS, one call at a time.
func (w *wire) Write(p []byte) (int, error) {
	if !w.upgraded {
		return w.line.Write(p)
	}
	sent := 0
	if w.unsent() == 0 {
		n, err := w.TryWrite(p)
		if err != nil {
			return 0, err
		}
		sent = n
	}
	if sent == len(p) {
		return len(p), nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest)+len(p)-sent > maxUnsent {
		return 0, errUnsent
	}
	w.rest = append(w.rest, p[sent:]...)
	return len(p), nil
}

func (w *wire) unsent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rest)
}

// flush sends what the socket takes of the rest at once; all: nothing is left.
func (w *wire) flush() (all bool, err error) {
	if w.unsent() == 0 {
		return true, nil
	}
	broken := w.raw.Write(func(fd uintptr) bool {
		all, err = w.send(fd)
		return true // whatever came of it: nobody waits here
	})
	return all, errors.Join(broken, err)
}

// await waits until the socket has taken the rest.
func (w *wire) await() (err error) {
	if w.unsent() == 0 {
		return nil
	}
	broken := w.raw.Write(func(fd uintptr) bool {
		var all bool
		all, err = w.send(fd)
		return all || err != nil
	})
	return errors.Join(broken, err)
}

// send writes the rest to the socket.
func (w *wire) send(fd uintptr) (all bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rest) == 0 {
		return true, nil
	}
	n, err := syscall.Write(int(fd), w.rest)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if w.rest = w.rest[n:]; len(w.rest) > 0 {
		return false, nil
	}
	w.rest = nil
	return true, nil
}
