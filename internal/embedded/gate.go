package embedded

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/plain"
)

const (
	// gateConns is how many connections the gate has at once; the engine takes
	// as many. Each costs two descriptors and, at most, 64 KiB.
	gateConns = 1024
	// gateHello bounds the wait for a client's first packet.
	gateHello = 10 * time.Second
	// gateDrain bounds the time for which the answer to a client that has left
	// is read to its end.
	gateDrain = time.Minute
)

// gate sits between clients and the engine, at an address that remains while
// engines come and go. The engine ends at an error of a connection that happens
// outside of a query. So the gate refuses clients that do not speak the
// protocol or lack the password, and when a client leaves in the middle of an
// answer, as one does that cancels a read, it reads the rest in the client's
// place.
type gate struct {
	ln     net.Listener
	dir    string       // the engine's data folder
	secret string       // the password of User
	engine atomic.Value // string: the engine's address now
	work   sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool

	ended chan struct{} // closed when it no longer accepts
}

func newGate(ln net.Listener, dir, secret string) *gate {
	g := &gate{ln: ln, dir: dir, secret: secret, conns: map[net.Conn]struct{}{}, ended: make(chan struct{})}
	g.engine.Store("")
	g.work.Go(g.serve)
	return g
}

func (g *gate) serve() {
	defer close(g.ended)
	for {
		client, err := plain.Patient{Listener: g.ln}.Accept()
		if err != nil {
			return // closed
		}
		if !g.hold(client) {
			_ = client.Close() // refused: nothing can be lost
			continue
		}
		g.work.Go(func() {
			defer g.release(client)
			g.pass(client)
		})
	}
}

// hold remembers a connection until release; false when there are too many or
// the gate is closed.
func (g *gate) hold(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.conns) >= 2*gateConns { // one to the client, one to the engine
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *gate) release(c net.Conn) {
	g.mu.Lock()
	delete(g.conns, c)
	g.mu.Unlock()
	_ = c.Close() // it may be closed already
}

// close ends every connection and waits for what serves them.
func (g *gate) close() error {
	err := g.ln.Close()
	g.mu.Lock()
	g.closed = true
	for c := range g.conns {
		_ = c.Close() // its goroutine notices
	}
	g.mu.Unlock()
	g.work.Wait()
	return err
}

// pass connects a client that may come in with the engine.
func (g *gate) pass(client net.Conn) {
	if err := client.SetDeadline(time.Now().Add(gateHello)); err != nil {
		return
	}
	h, err := readHello(client)
	if err == nil {
		err = g.admit(h)
	}
	var refused *refusal
	if errors.As(err, &refused) {
		_, _ = client.Write(refused.packet()) // the client may be gone
	}
	if err != nil || client.SetDeadline(time.Time{}) != nil {
		return
	}
	engine, err := net.Dial("tcp", g.engine.Load().(string))
	if err != nil {
		return // it is being started again; clients try again
	}
	if !g.hold(engine) {
		_ = engine.Close()
		return
	}
	defer g.release(engine)
	if _, err := engine.Write(h.raw); err != nil {
		return
	}
	g.join(client, engine.(*net.TCPConn))
}

// join passes bytes on until the engine has closed its side. That the client
// left reaches the engine as the end of its input, not as an error.
func (g *gate) join(client net.Conn, engine *net.TCPConn) {
	var sent sync.WaitGroup
	sent.Go(func() {
		_, _ = io.Copy(engine, client)                        // however it ended, there is no more
		_ = engine.CloseWrite()                               // the engine may be gone
		_ = engine.SetReadDeadline(time.Now().Add(gateDrain)) // or the answer may never end
	})
	if _, err := io.Copy(client, engine); err != nil {
		_ = client.Close() // ends the goroutine above
		_, _ = io.Copy(io.Discard, engine)
	}
	_ = client.Close()
	sent.Wait()
}

// admit reports why a client may not come in; nil when it may.
func (g *gate) admit(h *hello) error {
	right := subtle.ConstantTimeCompare([]byte(h.password), []byte(g.secret)) == 1
	if h.user != User || !right {
		return &refusal{516, fmt.Sprintf("%s: Authentication failed: password is incorrect, or there is no user with such name", h.user)}
	}
	switch h.database {
	case "", "default", "system", "INFORMATION_SCHEMA", "information_schema":
		return nil
	}
	if _, err := os.Stat(filepath.Join(g.dir, "metadata", escaped(h.database)+".sql")); err != nil {
		return &refusal{81, fmt.Sprintf("Database %s does not exist", h.database)}
	}
	return nil
}

// escaped is a name as ClickHouse names files after it.
func escaped(name string) string {
	var out strings.Builder
	for _, c := range []byte(name) {
		if c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}
