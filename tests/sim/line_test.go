package sim

import (
	"net"
	"sync"
	"time"
)

// line is what a client reads from. It takes everything at once, a slow one
// takes nothing until the client reads.
type line struct {
	net.Conn
	slow bool

	mu      sync.Mutex
	arrived []byte
	offered []byte        // what a write of a slow one waits with
	taken   chan struct{} // closed when it goes on
	closed  bool
}

func (l *line) TryWrite(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return 0, net.ErrClosed
	case l.slow:
		return 0, nil
	}
	l.arrived = append(l.arrived, p...)
	return len(p), nil
}

func (l *line) Write(p []byte) (int, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return 0, net.ErrClosed
	}
	taken := make(chan struct{})
	l.offered, l.taken = p, taken
	l.mu.Unlock()
	<-taken
	return len(p), nil
}

// take returns what has arrived, and has the write that waits go on.
func (l *line) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(l.arrived, l.offered...)
	l.arrived = nil
	l.goOn()
	return b
}

// goOn ends the wait of a write. The lock is held.
func (l *line) goOn() {
	if l.taken != nil {
		close(l.taken)
	}
	l.offered, l.taken = nil, nil
}

func (l *line) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.goOn()
	return nil
}

func (l *line) SetDeadline(time.Time) error     { return nil }
func (l *line) SetReadDeadline(time.Time) error { return nil }
