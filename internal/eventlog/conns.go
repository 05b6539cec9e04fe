package eventlog

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// connTracker opens connections, also for a library that keeps them to itself, so
// that all of a client's can be counted and closed.
type connTracker struct {
	open   func(ctx context.Context, network, address string) (net.Conn, error)
	opened atomic.Uint64 // connections opened so far

	mu     sync.Mutex // guards what follows
	closed bool
	conns  map[*trackedConn]struct{} // that are open
}

// newConnTracker returns one whose connections open opens; nil: over TCP.
func newConnTracker(open func(ctx context.Context, network, address string) (net.Conn, error)) *connTracker {
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	return &connTracker{open: open, conns: make(map[*trackedConn]struct{})}
}

// dial opens a connection. After close it fails.
func (t *connTracker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := t.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tracked := &trackedConn{Conn: conn, tracker: t}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		conn.Close()
		return nil, ErrClosed
	}
	t.conns[tracked] = struct{}{}
	t.opened.Add(1)
	return tracked, nil
}

// close closes every connection that is open; none can be opened any more.
func (t *connTracker) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cut()
}

// cut closes every connection that is open.
func (t *connTracker) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.conns {
		conn.Conn.Close()
	}
	clear(t.conns)
}

// trackedConn takes itself off its tracker's list when it is closed.
type trackedConn struct {
	net.Conn
	tracker *connTracker
}

func (c *trackedConn) Close() error {
	c.tracker.mu.Lock()
	delete(c.tracker.conns, c)
	c.tracker.mu.Unlock()
	return c.Conn.Close()
}

// Connections is how many connections to brokers were opened so far: where it
// has changed, the brokers may have been replaced meanwhile.
func (c *Client) Connections() uint64 { return c.conns.opened.Load() }
