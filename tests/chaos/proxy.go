package chaos

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes TCP connections on, and can spoil them.
type proxy struct {
	target string
	ready  atomic.Bool // the target accepts more connections
	ln     net.Listener
	work   sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	delay  time.Duration // of every chunk
	slice  int           // bytes of a chunk; 0: as they come
	open   chan struct{} // closed unless everything is stalled
}

// newProxy listens at a port of its own and passes on to target.
func newProxy(target string) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for a proxy: %w", err)
	}
	p := &proxy{target: target, ln: ln, conns: map[net.Conn]struct{}{}, open: make(chan struct{})}
	close(p.open)
	p.work.Go(p.accept)
	return p, nil
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		p.work.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.hold(client, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
	p.release(client, server)
}

// pass copies until either end is closed, and then closes the other.
func (p *proxy) pass(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for sent := 0; sent < n; {
			delay, slice, open := p.spoiled()
			<-open
			time.Sleep(delay)
			end := n
			if slice > 0 {
				end = min(n, sent+slice)
			}
			if _, err := to.Write(buf[sent:end]); err != nil {
				return
			}
			sent = end
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
			continue
		}
		p.conns[c] = struct{}{}
	}
	return !p.closed
}

func (p *proxy) release(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

func (p *proxy) spoiled() (time.Duration, int, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay, p.slice, p.open
}

// reset cuts every connection with a TCP reset.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// slow delays every chunk, and makes chunks small.
func (p *proxy) slow(delay time.Duration, slice int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.slice = delay, slice
}

// stall holds everything back until heal.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// heal ends every spoiling.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.slice = 0, 0
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// close ends the proxy and its connections.
func (p *proxy) close() error {
	p.heal()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.ln.Close()
	p.reset()
	p.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
