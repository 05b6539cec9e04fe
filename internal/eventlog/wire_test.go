package eventlog

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
)

// wire is the network between one client and its brokers, with faults that a
// test switches on. It works with real brokers too.
type wire struct {
	mu       sync.Mutex
	requests map[protocol.ApiKey]int // requests sent so far
	gate     chan struct{}           // when not nil, produce requests wait here
	waiting  chan struct{}           // gets a token for each request that waits
	lose     int                     // so many responses to produce requests get lost
	conns    map[*wireConn]struct{}
}

// wiredClient returns a client and the wire it uses.
func (c cluster) wiredClient(t testing.TB) (*Client, *wire) {
	t.Helper()
	client := c.client(t)
	w := &wire{
		requests: make(map[protocol.ApiKey]int),
		waiting:  make(chan struct{}, 100),
		conns:    make(map[*wireConn]struct{}),
	}
	dial := client.conns.open
	client.conns.open = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		wc := &wireConn{Conn: conn, wire: w, closed: make(chan struct{})}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conns[wc] = struct{}{}
		return wc, nil
	}
	return client, w
}

// loseResponses makes the connection break after each of the next n produce
// requests was answered, and before the client sees the answer.
func (w *wire) loseResponses(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose = n
}

// hold stops produce requests on their way until the returned function is
// called.
func (w *wire) hold() (release func()) {
	gate := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = gate
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gate = nil
		close(gate)
	})
}

// cut breaks every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		conn.Conn.Close()
	}
	clear(w.conns)
}

// sent is how many requests of a kind were sent.
func (w *wire) sent(key protocol.ApiKey) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[key]
}

type wireConn struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
	lose   bool // owned by the goroutine of this connection
}

func (c *wireConn) Write(b []byte) (int, error) {
	if len(b) < 8 || int(binary.BigEndian.Uint32(b))+4 != len(b) {
		return c.Conn.Write(b) // part of a larger request
	}
	key := protocol.ApiKey(binary.BigEndian.Uint16(b[4:]))
	w := c.wire
	w.mu.Lock()
	w.requests[key]++
	gate := w.gate
	if key == protocol.Produce && w.lose > 0 {
		w.lose--
		c.lose = true
	}
	w.mu.Unlock()
	if key == protocol.Produce && gate != nil {
		w.waiting <- struct{}{}
		select {
		case <-gate:
		case <-c.closed:
		}
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.lose && err == nil {
		c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}
