package connector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/gate"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/connector/ws"
)

// Pomelo is a second address, for clients that speak pomelo's wire: WebSockets at
// any path, and TCP.
type Pomelo struct {
	// Listen is the address; Listener, when set, is used instead and owned by the
	// connector.
	Listen   string
	Listener net.Listener
	chat.Settings
}

// pomeloServer serves the clients of that address. A nil one serves nobody.
type pomeloServer struct {
	listener net.Listener
	gate     *gate.Gate
	server   *ws.Server
	memory   *chat.Memory // survives incarnations
	settings *chat.Settings
}

// newPomelo begins to listen, where the configuration has such an address.
func (c *Connector) newPomelo() (*pomeloServer, error) {
	cfg := c.cfg.Pomelo
	if cfg == nil {
		return nil, nil
	}
	l := cfg.Listener
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen for clients of pomelo: %w", err)
		}
	}
	g, err := check(&c.cfg, l.Addr())
	if err != nil {
		if cfg.Listener == nil {
			err = errors.Join(err, l.Close())
		}
		return nil, fmt.Errorf("--pomelo: %w", err)
	}
	p := &pomeloServer{listener: l, gate: g, memory: chat.NewMemory(), settings: &cfg.Settings}
	clients := arrivals{Connector: c, gate: g, front: c.pomeloFront}
	p.server = ws.NewServer(ws.Config{
		Host: clients, Raw: clients.raw, Path: "/", Plain: c.cfg.Edge.Plain, OnCrowded: func() { c.metrics.limited.Add(1, "plain") },
		TLS: c.cfg.tls(), OnUnshaken: func() { c.metrics.handshakes.Add(1) },
		MaxToken: identity.MaxToken, Logger: c.cfg.Logger,
	})
	return p, nil
}

// close closes a listener that is not served yet.
func (p *pomeloServer) close() {
	if p != nil {
		_ = p.listener.Close()
	}
}

// failing is why connections cannot be accepted now; nil when they can.
func (p *pomeloServer) failing(now time.Time) error {
	if p == nil {
		return nil
	}
	return p.server.Failing(now)
}

func (p *pomeloServer) plain() int {
	if p == nil {
		return 0
	}
	return p.server.Plain()
}

// pomeloFront speaks pomelo over a connection.
func (c *Connector) pomeloFront(inc *incarnation, conn *ws.Conn, from ws.Arrival) front.Front {
	return chat.New(pomelo.New(conn, from, inc.limits.Frame), inc.pomelo)
}

// pomeloOptions are what all such connections of an incarnation share.
func (c *Connector) pomeloOptions(inc *incarnation) *chat.Options {
	if c.pomelo == nil {
		return nil
	}
	return &chat.Options{Settings: *c.pomelo.settings, Tokens: c.cfg.Auth != nil, Rooms: rooms{inc}, Memory: c.pomelo.memory}
}

// rooms is what an incarnation knows of its channels.
type rooms struct{ inc *incarnation }

func (r rooms) Taken(user, room string) bool {
	ch := r.inc.channels.get(room)
	if ch == nil {
		return false
	}
	ch.Lock()
	defer ch.Unlock()
	gone := 0
	for _, p := range ch.departing {
		if p.session.user == user {
			gone++
		}
	}
	return ch.SessionsOf(user) > gone
}

func (r rooms) Position(room string) (seq int64, epoch string) {
	ch := r.inc.channels.get(room)
	if ch == nil {
		return 0, ""
	}
	ch.Lock()
	defer ch.Unlock()
	return ch.Position(), r.inc.log.Epoch
}

// raw admits a connection that is not HTTP.
func (c arrivals) raw(from netip.Addr) (ws.Place, bool) {
	place, err := c.place(func() netip.Addr { return c.gate.Peer(from) })
	return place, err == nil
}
