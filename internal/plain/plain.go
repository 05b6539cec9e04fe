// Package plain bounds what HTTP servers give to whoever connects: time, bytes
// and connections.
package plain

import (
	"container/list"
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
// may be, one of the address that has most of them is closed, the oldest of
// these: a client that opens many keeps nobody else out, as a request that is sent
// takes milliseconds.
type Server struct {
	http.Server
	OnAcceptError func(error) // called when a connection cannot be accepted; nil: nothing to do
	most          int
	onCrowded     func()

	mu     sync.Mutex
	all    list.List // of place, the oldest first
	places map[net.Conn]*list.Element
	of     map[netip.Prefix]int // connections of each address
}

// place is a connection and its owner.
type place struct {
	conn net.Conn
	from netip.Prefix
}

// NewServer returns a server for a handler, whose other fields may be set until
// it serves.
func NewServer(handler http.Handler, b Bounds) *Server {
	s := &Server{most: b.Connections, onCrowded: b.OnCrowded, places: map[net.Conn]*list.Element{}, of: map[netip.Prefix]int{}}
	s.Handler = handler
	s.ReadHeaderTimeout, s.ReadTimeout, s.WriteTimeout, s.IdleTimeout = b.Head, b.Request, b.Answer, b.Idle
	s.MaxHeaderBytes = b.HeadBytes - headSlack
	s.ConnState = s.state
	return s
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
		cut(e.Value.(place).conn)
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
	case http.StateClosed, http.StateHijacked:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.remove(c)
	}
}

// add returns the connection that has to go, or nil.
func (s *Server) add(c net.Conn) (excess net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := Neighbourhood(addressOf(c.RemoteAddr()))
	s.places[c] = s.all.PushBack(place{c, from})
	s.of[from]++
	if s.most == 0 || s.all.Len() <= s.most {
		return nil
	}
	most := 0
	for _, n := range s.of {
		most = max(most, n)
	}
	e := s.all.Front()
	for s.of[e.Value.(place).from] < most {
		e = e.Next()
	}
	excess = e.Value.(place).conn
	s.remove(excess)
	return excess
}

// remove forgets a connection. The lock is held.
func (s *Server) remove(c net.Conn) {
	e := s.places[c]
	if e == nil {
		return
	}
	from := s.all.Remove(e).(place).from
	delete(s.places, c)
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
