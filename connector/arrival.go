package connector

import (
	"errors"
	"net/http"
	"time"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
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

// arrivals decides about the requests that reach a connector: it is a
// ws.Host.
type arrivals struct{ *Connector }

func (c arrivals) Refuse(r *http.Request) string {
	why := c.gate.Refuse(r)
	if why != "" && r.URL.Path == "/ws" {
		c.metrics.upgrades.Add(1, outcomeRefused)
	}
	return why
}

func (c arrivals) Admit(r *http.Request) (ws.Place, error) {
	inc := c.current.Load()
	if inc == nil || inc.draining.Load() {
		if c.leaving.Load() {
			c.metrics.upgrades.Add(1, "draining")
		} else {
			c.metrics.upgrades.Add(1, "not_ready")
		}
		return nil, errNotReady
	}
	t, refused := c.admit(inc, r)
	if refused != "" {
		c.metrics.upgrades.Add(1, refused)
		return nil, errCrowded
	}
	return &arrival{inc, t}, nil
}

// admit gives a ticket to the request's connection, or says what it is refused
// for.
func (c arrivals) admit(inc *incarnation, r *http.Request) (t *admission.Ticket, refused string) {
	if inc.sessions.overfull() {
		return nil, admission.RefusedFull
	}
	address, untrusted := c.gate.ClientAddress(r)
	if untrusted.IsValid() {
		c.doubted.Do(func() {
			c.cfg.Logger.Warn("a proxy that is not in --proxies forwards requests: the limits of connections per address are off for it", "peer", untrusted)
		})
	}
	return c.edge.Admit(plain.Neighbourhood(address), time.Now())
}

// arrival is a WebSocket's place in an incarnation.
type arrival struct {
	inc    *incarnation
	ticket *admission.Ticket
}

func (a *arrival) Shared() *ws.Shared { return a.inc.shared }

func (a *arrival) Open(c *ws.Conn, from ws.Arrival) {
	a.inc.accept(jsonrpc.Conn{Conn: c}, a.ticket, from.Token)
}

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
		inc.spawn(s.serve)
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
