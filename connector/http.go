package connector

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// upgradeBuffer is the size of a connection's read buffer; its frames are
// small, and thousands of connections are idle.
const upgradeBuffer = 512

func (c *Connector) handler() http.Handler {
	upgrader := &websocket.Upgrader{
		ReadBufferSize: upgradeBuffer, WriteBufferSize: upgradeBuffer, WriteBufferPool: new(sync.Pool),
		Subprotocols: []string{rpc.Subprotocol}, HandshakeTimeout: headTimeout,
		CheckOrigin: func(*http.Request) bool { return true }, // the gate has
	}
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
		if why := c.gate.refuse(r); why != "" {
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
func (c *Connector) serve(upgrader *websocket.Upgrader, w http.ResponseWriter, r *http.Request) {
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
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		t.release()
		c.metrics.upgrades.Add(1, outcomeFailed)
		return // the upgrader has answered
	}
	inc.accept(ws, t, bearer(r))
}

func tryLater(w http.ResponseWriter, text string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, http.StatusServiceUnavailable)
}

// admit gives a place to the request's connection, or says what it is refused
// for.
func (c *Connector) admit(inc *incarnation, r *http.Request) (t *ticket, refused string) {
	if inc.overfull() {
		return nil, refusedFull
	}
	address, untrusted := c.cfg.clientAddress(r)
	if untrusted.IsValid() {
		c.doubted.Do(func() {
			c.cfg.Logger.Warn("a proxy that is not in --proxies forwards requests: the limits of connections per address are off for it", "peer", untrusted)
		})
	}
	return c.edge.admit(plain.Neighbourhood(address), time.Now())
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

func (inc *incarnation) accept(ws *websocket.Conn, t *ticket, token string) {
	s := inc.newSession(ws, token)
	s.ticket = t
	t.upgraded(func() { s.conn.dismiss(rpc.CloseTryLater, "no hello yet, and others wait: try later") })
	if inc.admit(s) {
		inc.metrics.upgrades.Add(1, outcomeOK)
		return
	}
	inc.metrics.upgrades.Add(1, "draining")
	inc.metrics.closed(rpc.CloseShutdown, nil)
	s.conn.close(rpc.CloseShutdown, "not now")
	s.conn.discard()
	t.release()
}

func (inc *incarnation) newSession(ws *websocket.Conn, token string) *session {
	l := inc.limits
	s := &session{
		id: ulid.Make().String(), inc: inc, bearer: token,
		unanswered: make(chan struct{}, l.Pipeline),
		requests:   newBucket(l.Rate, requestBurst(l)),
		joins:      newBucket(l.Joins, l.Channels),
		places:     map[string]*place{},
		opened:     time.Now(), pingedAt: time.Now(),
	}
	s.conn = newConn(ws, l.Queue, inc.flushers, inc.budget)
	s.conn.requests = inc.requests
	s.conn.socket.rate = newBucket(inc.cfg.Edge.ReadRate, 4*inc.cfg.Edge.ReadRate)
	s.conn.socket.slowed = func() { inc.metrics.limited.Add(1, "bytes") }
	ws.SetReadLimit(int64(inc.limits.Frame))
	ws.SetPongHandler(func(string) error {
		if !s.ponged.Swap(true) { // one pong for each ping
			s.conn.socket.read = 0
		}
		return nil
	})
	pong := ws.PingHandler()
	var pings flood
	ws.SetPingHandler(func(data string) error {
		if pings.exceeds(pingBurst) {
			s.conn.close(rpc.CloseMisuse, "too many pings")
			return errFlood
		}
		s.conn.socket.read = 0
		return pong(data)
	})
	return s
}

// serve reads until the connection ends.
func (s *session) serve() {
	err := s.conn.read(s.handle)
	clean, reason := s.howEnded(err)
	s.end(clean, reason)
	s.inc.metrics.closed(s.conn.closedWith(), err)
	s.conn.discard()
	s.inc.metrics.connections.Add(-1)
	if s.account != nil {
		s.inc.edge.leave(s.user)
	}
	s.ticket.release()
}

// howEnded tells a clean end, whose leaves are published at once, from a cut.
func (s *session) howEnded(err error) (clean bool, reason schema.Reason) {
	code := s.conn.closedWith()
	if code == rpc.CloseNoPong {
		return false, schema.Reason_REASON_TIMEOUT
	}
	if code != 0 {
		return code >= rpc.CloseBadToken, schema.Reason_REASON_DISCONNECT
	}
	var closed *websocket.CloseError
	clean = errors.As(err, &closed) && (closed.Code == websocket.CloseNormalClosure || closed.Code == websocket.CloseGoingAway)
	return clean && !s.inc.draining.Load(), schema.Reason_REASON_DISCONNECT
}
