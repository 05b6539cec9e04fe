package connector

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/gate"
	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/schema/rpc"
)

// What a client whose WebSocket is refused for now is told.
var (
	errNotReady = errors.New("not ready: try again in a moment")
	errCrowded  = errors.New("too many connections: try again later")
)

// arrivals decides about the connections that reach an address of a connector: it
// is a ws.Host.
type arrivals struct {
	*Connector
	gate *gate.Gate
	path string // of WebSockets; "": any
	// front speaks with the client of a connection.
	front func(inc *incarnation, c *ws.Conn, from ws.Arrival) front.Front
}

func (c arrivals) Refuse(r *http.Request) string {
	why := c.gate.Refuse(r)
	if why != "" && (c.path == "" || r.URL.Path == c.path) {
		c.metrics.upgrades.Add(1, outcomeRefused)
	}
	return why
}

func (c arrivals) Admit(r *http.Request) (ws.Place, error) {
	return c.place(func() netip.Addr { return c.clientOf(r) })
}

// place gives a place to a connection from an address.
func (c arrivals) place(from func() netip.Addr) (ws.Place, error) {
	inc := c.current.Load()
	if inc == nil || inc.draining.Load() {
		if c.leaving.Load() {
			c.metrics.upgrades.Add(1, "draining")
		} else {
			c.metrics.upgrades.Add(1, "not_ready")
		}
		return nil, errNotReady
	}
	t, refused := (*admission.Ticket)(nil), admission.RefusedFull
	if !inc.sessions.overfull() {
		t, refused = c.edge.Admit(plain.Neighbourhood(from()), time.Now())
	}
	if refused != "" {
		c.metrics.upgrades.Add(1, refused)
		return nil, errCrowded
	}
	return &arrival{inc, t, c.front}, nil
}

// clientOf is the address of a request's client; invalid: it is not known.
func (c arrivals) clientOf(r *http.Request) netip.Addr {
	address, untrusted := c.gate.ClientAddress(r)
	if untrusted.IsValid() {
		c.doubted.Do(func() {
			c.cfg.Logger.Warn("a proxy that is not in --proxies forwards requests: the limits of connections per address are off for it", "peer", untrusted)
		})
	}
	return address
}

// arrival is a WebSocket's place in an incarnation.
type arrival struct {
	inc    *incarnation
	ticket *admission.Ticket
	front  func(inc *incarnation, c *ws.Conn, from ws.Arrival) front.Front
}

func (a *arrival) Shared() *ws.Shared { return a.inc.shared }

func (a *arrival) Open(c *ws.Conn, from ws.Arrival) {
	a.inc.accept(a.front(a.inc, c, from), a.ticket, from.Token)
}

// documented speaks the documented protocol over a connection.
func documented(_ *incarnation, c *ws.Conn, _ ws.Arrival) front.Front { return jsonrpc.Conn{Conn: c} }

func (a *arrival) Fail() {
	a.ticket.Release()
	a.inc.metrics.upgrades.Add(1, outcomeFailed)
}

// accept begins the session that a front carries, unless the incarnation is over.
func (inc *incarnation) accept(f front.Front, t *admission.Ticket, token string) {
	s := inc.newSession(f, token)
	s.ticket = t
	t.Upgraded(func() { f.Dismiss(rpc.CloseTryLater, "no hello yet, and others wait: try later") })
	served := inc.sessions.add(s, func() {
		inc.metrics.connections.Add(1)
		inc.work.Add(1) // until it has ended, read or parked
		go s.serve()
	})
	if served {
		inc.metrics.upgrades.Add(1, outcomeOK)
		return
	}
	inc.metrics.upgrades.Add(1, "draining")
	inc.metrics.closed(front.Ending{Ours: rpc.CloseShutdown})
	f.Close(rpc.CloseShutdown, "not now")
	f.Discard()
	t.Release()
}
