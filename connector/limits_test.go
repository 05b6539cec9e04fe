package connector

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// Where fewer connections are admitted than may be silent, silent ones make
// room all the same.
func TestSilentSocketsFillNoSmallConnector(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.MaxConnections, cfg.Edge.Upgrades = 50, -1 })
	begun := time.Now()
	silent := r.open()
	for range 49 {
		r.open()
	}
	if _, status, _ := r.dial(nil); status != 503 && time.Since(begun) < admission.SilentAfter {
		t.Errorf("beyond the limit a connection is answered with %d", status)
	}
	time.Sleep(admission.SilentAfter + 100*time.Millisecond)
	var all []*websocket.Conn
	for _, user := range []string{"ada", "bob", "eve"} {
		all = append(all, r.enter(user))
	}
	if code := closeCode(silent); code != rpc.CloseTryLater {
		t.Errorf("the oldest silent socket is closed with %d", code)
	}
	if n := r.c.edge.Counts(); n.Open != 50 {
		t.Errorf("%d connections count as open, of 50", n.Open)
	}
	for _, ws := range all {
		answerTo(t, ws, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
	}
}

// judges takes a user's connections for alive so long after they were asked.
func (r *edgeRig) judges(verdict time.Duration) {
	limits := r.c.cfg.admission(r.c.metrics)
	limits.Verdict = verdict
	r.c.edge = admission.New(limits)
	r.inc.edge = r.c.edge
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
	r.judges(await.Limit)
	r.keepSessions()
	for range 3 {
		r.enter("ada") // and read no more: no ping is answered
	}
	ws := r.open()
	r.sayHello(ws, "ada")
	if code := closeCode(ws); code != rpc.CloseTryLater {
		t.Fatalf("the fourth connection is closed with %d", code)
	}
	await.That(t, "there is room", func() bool {
		ws := r.open()
		r.sayHello(ws, "ada")
		_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
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
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Edge.UserConnections, cfg.PongTimeout = 3, await.Limit })
	r.judges(500 * time.Millisecond)
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
	if code := closeCode(ws); code != rpc.CloseTryLater {
		t.Errorf("the fourth connection is closed with %d", code)
	}
	time.Sleep(600 * time.Millisecond)
	ws = r.open()
	if answer := r.hello(ws, "ada"); !strings.Contains(answer, `"code":1002`) || !strings.Contains(answer, `"limit":3`) {
		t.Errorf("the fifth hello is answered %s", answer)
	}
	if code := closeCode(ws); code != rpc.CloseConnections {
		t.Errorf("the fifth connection is closed with %d", code)
	}
	r.enter("bob")
	_ = first.Close()
	await.That(t, "there is room again", func() bool {
		return strings.Contains(r.hello(r.open(), "ada"), `"result"`)
	})
}

// A client address has so many connections and no more, and cannot take all
// upgrades; those behind a trusted proxy are told apart by what it says.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	from := func(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.Edge.AddressConnections = 3
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for _, c := range []struct {
		from string
		want int
	}{
		{"192.0.2.1", 101}, {"192.0.2.1", 101}, {"192.0.2.1", 101}, {"192.0.2.1", 503},
		{"198.51.100.9, 192.0.2.1", 503}, // invented by the client
		{"192.0.2.1, 127.0.0.9", 503},    // two proxies of ours
		{"192.0.2.2", 101},
		{"2001:db8::1", 101}, {"2001:db8::2", 101}, {"[2001:db8::3]:443", 101}, {"2001:db8::4", 503}, {"2001:db8:0:1::4", 101},
	} {
		if _, status, _ := r.dial(from(c.from)); status != c.want {
			t.Errorf("a connection from %s is answered with %d, want %d", c.from, status, c.want)
		}
	}
	if n := r.c.edge.Counts(); n.Addresses != 4 {
		t.Errorf("%d addresses are remembered, want 4", n.Addresses)
	}
}

// A proxy of the same network that nobody said to trust is not taken for one
// client.
func TestUntrustedProxy(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var logged strings.Builder
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.Edge.AddressConnections = 2
		cfg.Logger = slog.New(slog.NewTextHandler(locked{&mu, &logged}, nil))
	})
	for i := range 5 {
		if _, status, _ := r.dial(http.Header{"Forwarded": {"for=192.0.2.1"}}); status != 101 {
			t.Fatalf("connection %d is answered with %d", i, status)
		}
	}
	mu.Lock()
	if n := strings.Count(logged.String(), "a proxy that is not in --proxies forwards requests"); n != 1 {
		t.Errorf("it is logged %d times that limits are off for a proxy, want once: %s", n, logged.String())
	}
	mu.Unlock()
	r.open()
	r.open()
	if _, status, _ := r.dial(nil); status != http.StatusServiceUnavailable {
		t.Errorf("the third connection of an address is answered with %d", status)
	}
}

func TestRateOfUpgrades(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Edge.Upgrades = 1 })
	refused := 0
	for range 40 {
		if _, status, retry := r.dial(nil); status == http.StatusServiceUnavailable && retry != "" {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d of 40 upgrades at once were refused, at 1 a second and 2 at once", refused)
	}
}

// What one connection sends beyond its rate waits in its own socket.
func TestBytesOfAConnection(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Edge.ReadRate = 128 << 10; cfg.Limits.Rate = -1; cfg.Edge.UserRate = -1 })
	ws := r.enter("ada")
	frame := []byte(`{"jsonrpc":"2.0","method":"ping","params":{"x":"` + strings.Repeat("x", 60<<10) + `"}}`)
	begun := time.Now()
	for range 16 { // 960 KiB, 512 KiB of them at once
		if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			t.Fatal(err)
		}
	}
	answerTo(t, ws, `{"jsonrpc":"2.0","id":7,"method":"ping"}`)
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("960 KiB were read in %v, at 128 KiB a second and 512 KiB at once", took)
	}
}
