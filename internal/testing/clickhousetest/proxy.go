// Package clickhousetest sits between a test and its ClickHouse server, to
// take the server away and to bring it back.
package clickhousetest

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/clickhouse"
)

// Proxy forwards connections to a server. It is safe for concurrent use.
type Proxy struct {
	// DSN names the database through the proxy.
	DSN string

	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	state state
	conns map[net.Conn]struct{}
}

type state int

const (
	forwarding state = iota
	cut
	hanging
)

// NewProxy returns a proxy in front of the server that dsn names. It ends with
// the test.
func NewProxy(tb testing.TB, dsn string) *Proxy {
	tb.Helper()
	target, err := clickhouse.Parse(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		DSN:    strings.Replace(dsn, target.Addresses[0], l.Addr().String(), 1),
		target: target.Addresses[0], listener: l, conns: map[net.Conn]struct{}{},
	}
	p.work.Go(p.accept)
	tb.Cleanup(func() {
		l.Close()
		p.Cut()
		p.work.Wait()
	})
	return p
}

// Cut closes all connections and, until Restore, every new one.
func (p *Proxy) Cut() { p.enter(cut) }

// Hang takes connections and bytes but answers nothing, until Restore.
func (p *Proxy) Hang() { p.enter(hanging) }

// Restore forwards new connections.
func (p *Proxy) Restore() { p.enter(forwarding) }

func (p *Proxy) enter(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		s := p.state
		if s == cut {
			client.Close()
		} else {
			p.conns[client] = struct{}{}
			p.work.Go(func() { p.serve(client, s) })
		}
		p.mu.Unlock()
	}
}

func (p *Proxy) serve(client net.Conn, s state) {
	defer client.Close()
	if s == hanging {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.work.Go(func() {
		_, _ = io.Copy(server, client)
		server.Close()
	})
	_, _ = io.Copy(client, server)
}
