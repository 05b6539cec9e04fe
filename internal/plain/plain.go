// Package plain bounds what HTTP servers give to whoever connects: time, bytes
// and connections.
package plain

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// headSlack is what net/http reads beyond MaxHeaderBytes.
const headSlack = 4 << 10

// Bounds are those of a server whose requests have no body that is read.
type Bounds struct {
	Head        time.Duration // for a request's head
	Request     time.Duration // for all of a request
	Answer      time.Duration // for the answer to be made and taken
	Idle        time.Duration // between two requests
	HeadBytes   int           // of a request's head
	Connections int           // at once, without those that were taken over from the server; 0: no limit
	OnCrowded   func()        // called when a connection is closed for another one; nil: nothing to do
}

// Server is an HTTP server with bounds. Beyond the most connections that there
// may be, one of the address that has most of them is closed: one that is idle, or
// the oldest. A client that opens many keeps nobody else out, as a request that is
// sent takes milliseconds. Those that a handler engages stay, and do not count for
// their address; where all are engaged, the new one is closed.
type Server struct {
	http.Server
	OnAcceptError func(error) // called when a connection cannot be accepted; nil: nothing to do
	most          int
	onCrowded     func()

	mu     sync.Mutex
	all    list.List // of *place, the oldest first
	places map[net.Conn]*list.Element
	of     map[netip.Prefix]int // connections of each address that are not engaged
}

// place is a connection and its owner. What changes is guarded by the server's mu.
type place struct {
	conn          net.Conn
	from          netip.Prefix
	idle, engaged bool
}

// engageKey is of the function that engages a connection, in the context of its requests.
type engageKey struct{}

// NewServer returns a server for a handler, whose other fields may be set until
// it serves.
func NewServer(handler http.Handler, b Bounds) *Server {
	s := &Server{most: b.Connections, onCrowded: b.OnCrowded, places: map[net.Conn]*list.Element{}, of: map[netip.Prefix]int{}}
	s.Handler = handler
	s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = b.Head, b.Request, b.Answer, b.Idle
	s.MaxHeaderBytes = b.HeadBytes - headSlack
	s.ConnState = s.state
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, engageKey{}, func() { s.engage(c) })
	}
	return s
}

// Engage keeps the connection of a request, whose context that is, from being closed for
// another one until the request is answered. A server with a ConnContext of its own
// engages none.
func Engage(ctx context.Context) {
	if engage, ok := ctx.Value(engageKey{}).(func()); ok {
		engage()
	}
}

func (s *Server) engage(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.places[c]; e != nil && !e.Value.(*place).engaged {
		p := e.Value.(*place)
		p.engaged = true
		s.leave(p.from)
	}
}

// Serve serves the connections of a listener, as http.Server's does, and goes on
// after every error of accepting that passes.
func (s *Server) Serve(l net.Listener) error {
	return s.Server.Serve(Patient{Listener: l, OnError: s.OnAcceptError})
}

// Close ends Serve, and cuts every connection that was not taken over.
func (s *Server) Close() error {
	s.mu.Lock()
	for e := s.all.Front(); e != nil; e = e.Next() {
		cut(e.Value.(*place).conn)
	}
	s.mu.Unlock()
	return s.Server.Close()
}

// cut closes a connection at once. To say so in TLS first would take seconds
// where the client reads nothing.
func cut(c net.Conn) {
	if inner, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn among them
		c = inner.NetConn()
	}
	_ = c.Close()
}

// Count is how many connections there are.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Len()
}

// state is called by net/http when a connection changes state.
func (s *Server) state(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if excess := s.add(c); excess != nil {
			if s.onCrowded != nil {
				s.onCrowded()
			}
			cut(excess)
		}
	case http.StateActive, http.StateIdle:
		s.turn(c, state == http.StateIdle)
	case http.StateClosed, http.StateHijacked:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.remove(c)
	}
}

// turn notes that a connection begins to wait for a request, or has one.
func (s *Server) turn(c net.Conn, idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.places[c]
	if e == nil {
		return
	}
	p := e.Value.(*place)
	if p.idle = idle; p.engaged {
		p.engaged = false
		s.of[p.from]++
	}
}

// add returns the connection that has to go, or nil.
func (s *Server) add(c net.Conn) (excess net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := Neighbourhood(addressOf(c.RemoteAddr()))
	s.places[c] = s.all.PushBack(&place{conn: c, from: from})
	s.of[from]++
	if s.most == 0 || s.all.Len() <= s.most {
		return nil
	}
	most := 0
	for _, n := range s.of {
		most = max(most, n)
	}
	for e := s.all.Front(); e != nil; e = e.Next() { // c is not engaged, so there is one
		p := e.Value.(*place)
		if p.engaged || s.of[p.from] < most {
			continue
		}
		if excess == nil || p.idle {
			excess = p.conn
		}
		if p.idle {
			break
		}
	}
	s.remove(excess)
	return excess
}

// remove forgets a connection. The lock is held.
func (s *Server) remove(c net.Conn) {
	e := s.places[c]
	if e == nil {
		return
	}
	p := s.all.Remove(e).(*place)
	delete(s.places, c)
	if !p.engaged {
		s.leave(p.from)
	}
}

// leave counts one less of an address. The lock is held.
func (s *Server) leave(from netip.Prefix) {
	if s.of[from]--; s.of[from] == 0 {
		delete(s.of, from)
	}
}

func addressOf(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return Bare(tcp.AddrPort().Addr())
	}
	return netip.Addr{}
}

// Bare is an address as it is compared with others: an IPv4 one in its own form,
// without the zone of an interface.
func Bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Neighbourhood is what counts as one client: an IPv4 address, or a /64 of
// IPv6. It is invalid for an invalid address.
func Neighbourhood(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // invalid for an invalid address
	return p
}
