package connector

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// upgradeBuffer is the size of a connection's read buffer; its frames are
// small, and thousands of connections are idle.
const upgradeBuffer = 512

func (c *Connector) handler() http.Handler {
	upgrader := &websocket.Upgrader{
		ReadBufferSize: upgradeBuffer, WriteBufferSize: upgradeBuffer, WriteBufferPool: new(sync.Pool),
		Subprotocols: []string{rpc.Subprotocol}, CheckOrigin: func(*http.Request) bool { return true }, // the gate has
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
		w.Header().Set("Retry-After", "1")
		http.Error(w, "not ready: try again in a moment", http.StatusServiceUnavailable)
		return
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		c.metrics.upgrades.Add(1, outcomeFailed)
		return // the upgrader has answered
	}
	inc.accept(ws, bearer(r))
}

func bearer(r *http.Request) string {
	// The scheme's case does not matter (RFC 9110, section 11.1).
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (inc *incarnation) accept(ws *websocket.Conn, token string) {
	s := inc.newSession(ws, token)
	code, admitted := inc.admit(s)
	switch {
	case admitted:
		inc.metrics.upgrades.Add(1, outcomeOK)
	case code == rpc.CloseConnections:
		inc.metrics.upgrades.Add(1, "full")
	default:
		inc.metrics.upgrades.Add(1, "draining")
	}
	if !admitted {
		inc.metrics.closed(code, nil)
		s.conn.close(code, "not now")
		s.conn.discard()
	}
}

func (inc *incarnation) newSession(ws *websocket.Conn, token string) *session {
	s := &session{
		id: ulid.Make().String(), inc: inc, bearer: token,
		unanswered: make(chan struct{}, inc.limits.Pipeline),
		rate:       bucket{rate: float64(inc.limits.Rate)},
		places:     map[string]*place{},
		opened:     time.Now(), pingedAt: time.Now(),
	}
	s.conn = newConn(ws, inc.limits.Queue, inc.flushers, inc.budget)
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
