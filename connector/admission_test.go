package connector

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// Where fewer connections are admitted than may be silent, silent ones make
// room all the same.
func TestSilentSocketsFillNoSmallConnector(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.MaxConnections, cfg.Edge.Upgrades = 50, -1 })
	silent := r.open()
	for range 49 {
		r.open()
	}
	if _, status, _ := r.dial(nil); status != 503 {
		t.Errorf("beyond the limit a connection is answered with %d", status)
	}
	time.Sleep(silentAfter + 100*time.Millisecond)
	var all []*websocket.Conn
	for _, user := range []string{"ada", "bob", "eve"} {
		all = append(all, r.enter(user))
	}
	if code := closeCode(silent, 5*time.Second); code != rpc.CloseTryLater {
		t.Errorf("the oldest silent socket is closed with %d", code)
	}
	r.c.edge.mu.Lock()
	open := r.c.edge.open
	r.c.edge.mu.Unlock()
	if open != 50 {
		t.Errorf("%d connections count as open, of 50", open)
	}
	for _, ws := range all {
		answerTo(t, ws, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	}
}

// keepSessions does what the keeper does, without a log.
func (r *edgeRig) keepSessions() {
	r.inc.spawn(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				for _, s := range r.inc.sessions.list() {
					s.keep(now)
				}
			case <-r.inc.ctx.Done():
				return
			}
		}
	})
}

// Connections whose network is gone do not keep their user out: while it is
// unknown whether they are, the user is to come back.
func TestDeadConnectionsOfAUser(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.Edge.UserConnections, cfg.Edge.Upgrades, cfg.PongTimeout = 3, -1, 500*time.Millisecond
	})
	r.keepSessions()
	for range 3 {
		r.enter("ada") // and read no more: no ping is answered
	}
	ws := r.open()
	r.sayHello(ws, "ada")
	if code := closeCode(ws, 5*time.Second); code != rpc.CloseTryLater {
		t.Fatalf("the fourth connection is closed with %d", code)
	}
	soon(t, "there is room", func() bool {
		ws := r.open()
		r.sayHello(ws, "ada")
		_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, answer, err := ws.ReadMessage()
		if err != nil && !websocket.IsCloseError(err, rpc.CloseTryLater) {
			t.Fatalf("it is closed with %v", err)
		}
		return strings.Contains(string(answer), `"result"`)
	})
}

// A user has so many connections and no more; each that ends makes room.
func TestConnectionsOfAUser(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Edge.UserConnections, cfg.PongTimeout = 3, 5*time.Second })
	r.c.edge.verdict = 500 * time.Millisecond // rather than a quarter of a minute
	r.keepSessions()
	first := r.enter("ada")
	for _, ws := range []*websocket.Conn{first, r.enter("ada"), r.enter("ada")} {
		go func() { // a client that lives
			for {
				if _, _, err := ws.ReadMessage(); err != nil {
					return
				}
			}
		}()
	}
	ws := r.open()
	r.sayHello(ws, "ada")
	if code := closeCode(ws, 5*time.Second); code != rpc.CloseTryLater {
		t.Errorf("the fourth connection is closed with %d", code)
	}
	time.Sleep(600 * time.Millisecond)
	ws = r.open()
	if answer := r.hello(ws, "ada"); !strings.Contains(answer, `"code":1002`) || !strings.Contains(answer, `"limit":3`) {
		t.Errorf("the fifth hello is answered %s", answer)
	}
	if code := closeCode(ws, 5*time.Second); code != rpc.CloseConnections {
		t.Errorf("the fifth connection is closed with %d", code)
	}
	r.enter("bob")
	_ = first.Close()
	soon(t, "there is room again", func() bool {
		return strings.Contains(r.hello(r.open(), "ada"), `"result"`)
	})
}
