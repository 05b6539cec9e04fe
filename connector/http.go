package connector

import (
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func (c *Connector) handler() http.Handler {
	upgrader := ws.NewUpgrader(rpc.Subprotocol, headTimeout) // the gate has checked the Origin
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) { c.serve(upgrader, w, r) })
	if c.cfg.Page != nil {
		mux.Handle("/", c.cfg.Page)
	}
	return c.guard(mux)
}

// guard has a handler serve what passes the gate; the rest gets 403 and a
// sentence for whoever runs the connector.
func (c *Connector) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := c.gate.Refuse(r); why != "" {
			if r.URL.Path == "/ws" {
				c.metrics.upgrades.Add(1, outcomeRefused)
			}
			http.Error(w, why, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serve makes a session of an upgraded connection. It returns at once: a plain
// goroutine with a small stack reads.
func (c *Connector) serve(upgrader *ws.Upgrader, w http.ResponseWriter, r *http.Request) {
	inc := c.current.Load()
	if inc == nil || inc.draining.Load() {
		if c.leaving.Load() {
			c.metrics.upgrades.Add(1, "draining")
		} else {
			c.metrics.upgrades.Add(1, "not_ready")
		}
		tryLater(w, "not ready: try again in a moment")
		return
	}
	t, refused := c.admit(inc, r)
	if refused != "" {
		c.metrics.upgrades.Add(1, refused)
		tryLater(w, "too many connections: try again later")
		return
	}
	conn, err := upgrader.Upgrade(w, r, inc.bounds())
	if err != nil {
		t.Release()
		c.metrics.upgrades.Add(1, outcomeFailed)
		return // the upgrader has answered
	}
	inc.accept(conn, t, bearer(r))
}

func tryLater(w http.ResponseWriter, text string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, http.StatusServiceUnavailable)
}

// admit gives a place to the request's connection, or says what it is refused
// for.
func (c *Connector) admit(inc *incarnation, r *http.Request) (t *admission.Ticket, refused string) {
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

func bearer(r *http.Request) string {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return "" // of two, a proxy may have checked the other one
	}
	// The scheme's case does not matter (RFC 9110, section 11.1).
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	token = strings.TrimSpace(token)
	// What is too long is refused at hello, and never kept. The copy does not
	// hold on to the request.
	return strings.Clone(token[:min(len(token), maxToken+1)])
}

func (inc *incarnation) accept(conn *ws.Conn, t *admission.Ticket, token string) {
	s := inc.newSession(jsonrpc.Conn{Conn: conn}, token)
	s.ticket = t
	t.Upgraded(func() { s.front.Dismiss(rpc.CloseTryLater, "no hello yet, and others wait: try later") })
	if inc.admit(s) {
		inc.metrics.upgrades.Add(1, outcomeOK)
		return
	}
	inc.metrics.upgrades.Add(1, "draining")
	inc.metrics.closed(front.Ending{Ours: rpc.CloseShutdown})
	s.front.Close(rpc.CloseShutdown, "not now")
	s.front.Discard()
	t.Release()
}

// bounds are what a session's connection is bounded by.
func (inc *incarnation) bounds() ws.Options {
	return ws.Options{
		Message: inc.limits.Frame, Queue: inc.limits.Queue, ReadRate: inc.cfg.Edge.ReadRate,
		Flushers: inc.flushers, Budget: inc.budget, Requests: inc.requests, Reading: inc.reading,
		OnSlowed: func() { inc.metrics.limited.Add(1, "bytes") },
	}
}

func (inc *incarnation) newSession(f front.Front, token string) *session {
	return &session{
		id: ulid.Make().String(), inc: inc, front: f, bearer: token,
		unanswered: make(chan struct{}, inc.limits.Pipeline),
		pace:       newPace(inc),
		places:     map[string]*place{},
		opened:     time.Now(),
	}
}

// serve reads until the connection ends.
func (s *session) serve() {
	ending := s.front.Serve(s.handle)
	clean, reason := s.howEnded(ending)
	s.end(clean, reason)
	s.inc.metrics.closed(ending)
	s.front.Discard()
	s.inc.metrics.connections.Add(-1)
	if s.pace.account != nil {
		s.inc.edge.Leave(s.user)
	}
	s.ticket.Release()
}

// howEnded distinguishes a clean end, whose leaves are published at once, from a cut.
func (s *session) howEnded(e front.Ending) (clean bool, reason schema.Reason) {
	switch {
	case e.Ours == rpc.CloseNoPong:
		return false, schema.Reason_REASON_TIMEOUT
	case e.Ours != 0:
		return e.Ours >= rpc.CloseBadToken, schema.Reason_REASON_DISCONNECT
	default:
		return e.Clean && !s.inc.draining.Load(), schema.Reason_REASON_DISCONNECT
	}
}
