package connector

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/schema/rpc"
)

// Requests whose body never comes hold their connections for as long as a
// request may take, and keep nobody from the page meanwhile.
func TestStuckBodies(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.Edge.Plain = 20
		cfg.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") })
	})
	var stuck []net.Conn
	for range 90 {
		stuck = append(stuck, r.raw("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"))
	}
	begun := time.Now()
	status := plaintest.Status(r.raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	if took := time.Since(begun); status != http.StatusOK || took > ws.RequestTimeout {
		t.Fatalf("with %d stuck requests the page is answered with %d after %v", len(stuck), status, took)
	}
	await.That(t, "no more connections than the limit", func() bool { return r.c.server.Plain() <= 20 })
	for i, c := range stuck {
		_ = c.SetReadDeadline(time.Now().Add(await.Limit))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("the connection of stuck request %d is still open", i)
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// An upgrade clears the deadlines of requests: sessions last.
func TestUpgradeClearsDeadlines(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t)
	ada := r.enter("ada")
	time.Sleep(ws.RequestTimeout + time.Second)
	if answer := answerTo(t, ada, `{"jsonrpc":"2.0","id":2,"method":"ping"}`); !strings.Contains(answer, `"result"`) {
		t.Errorf("ping is answered %s", answer)
	}
}

// A request's head is bounded before memory is given to it.
//
//parley:bound the head of a request
func TestHugeHeads(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t)
	for range 30 {
		c := r.raw("GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + strings.Repeat("x", ws.MaxHead+1))
		if status := plaintest.Status(c); status != http.StatusRequestHeaderFieldsTooLarge {
			t.Fatalf("half a request with %d bytes of head is answered with %d", ws.MaxHead+1, status)
		}
	}
	c := r.raw("GET /ws HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n")
	if status := plaintest.Status(c); status != http.StatusBadRequest {
		t.Errorf("9 KiB of head are answered with %d", status)
	}
}

// A token has 8 KiB at most, wherever it comes from, and is not kept.
//
//parley:bound a token
func TestTokensAreBoundedAndForgotten(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth)
	long := rigToken(t, "ada", jwt.MapClaims{"padding": strings.Repeat("x", identity.MaxToken)})
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	for name, try := range map[string]struct {
		header http.Header
		params string
	}{
		"in hello":      {nil, fmt.Sprintf(`{"token":%q}`, long)},
		"in the header": {bearer(long), `{}`},
	} {
		ws, _, _ := r.dial(try.header)
		if answer := answerTo(t, ws, `{"jsonrpc":"2.0","id":1,"method":"hello","params":`+try.params+`}`); !strings.Contains(answer, `"code":1001`) {
			t.Errorf("a token of %d bytes %s is answered %s", len(long), name, answer)
		}
		if code := closeCode(ws); code != rpc.CloseBadToken {
			t.Errorf("a token of %d bytes %s closes with %d", len(long), name, code)
		}
	}
	// Of two headers, a proxy may have checked the other one.
	two, _, _ := r.dial(http.Header{"Authorization": {"Bearer " + rigToken(t, "ada", nil), "Bearer " + rigToken(t, "eve", nil)}})
	if answer := answerTo(t, two, `{"jsonrpc":"2.0","id":1,"method":"hello"}`); !strings.Contains(answer, `"code":1001`) {
		t.Errorf("two tokens in the head are answered %s", answer)
	}
	ws, _, _ := r.dial(bearer(rigToken(t, "ada", nil)))
	for i := range 2 { // a later hello without a token changes nothing
		if answer := answerTo(t, ws, `{"jsonrpc":"2.0","id":1,"method":"hello"}`); !strings.Contains(answer, `"user":"ada"`) {
			t.Fatalf("hello %d is answered %s", i, answer)
		}
	}
	for _, s := range r.inc.sessions.list() {
		s.mu.Lock()
		if s.user == "ada" && s.bearer != "" {
			t.Error("the token is kept after hello")
		}
		s.mu.Unlock()
	}
}

// Sockets that never send hello have a budget of their own, and make room for
// those that do. Nobody is told to stay away.
func TestSilentSockets(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.MaxConnections, cfg.Edge.BeforeHello, cfg.Edge.Upgrades = 30, 10, -1
	})
	var silent []*websocket.Conn
	for i := range 30 {
		ws, status, retry := r.dial(nil)
		switch {
		case status == http.StatusServiceUnavailable && retry != "" && i >= 10:
		case status == http.StatusSwitchingProtocols:
			silent = append(silent, ws)
		default:
			t.Fatalf("silent socket %d: %d, Retry-After %q", i, status, retry)
		}
	}
	time.Sleep(admission.SilentAfter + 100*time.Millisecond)
	for i := range 20 {
		r.enter(fmt.Sprint("user", i))
	}
	if code := closeCode(silent[0]); code != rpc.CloseTryLater {
		t.Errorf("the oldest silent socket is closed with %d", code)
	}
	for range 50 { // it is full one day, with whoever is there
		ws, status, _ := r.dial(nil)
		if status == http.StatusServiceUnavailable {
			return
		}
		r.hello(ws, "eve")
	}
	t.Error("more connections than the limit were admitted")
}

// Limits are off for an open connector on loopback alone, and each where it is
// switched off.
func TestWhereLimitsAreOff(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	for name, c := range map[string]struct {
		cfg    Config
		listen net.Addr
		rate   int
	}{
		"open on loopback":    {Config{}, loopback, 0},
		"said to be open":     {Config{Open: true}, loopback, 100},
		"with authentication": {Config{Auth: &identity.Auth{}}, loopback, 100},
		"behind a proxy":      {Config{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, loopback, 100},
		"beyond loopback":     {Config{}, &net.TCPAddr{IP: net.IPv4zero}, 100},
		"set on loopback":     {Config{Limits: rpc.Limits{Rate: 7}}, loopback, 7},
		"switched off":        {Config{Auth: &identity.Auth{}, Limits: rpc.Limits{Rate: -1}}, loopback, 0},
	} {
		c.cfg.setLimits(c.listen)
		if c.cfg.Limits.Rate != c.rate {
			t.Errorf("%s: %d requests a second, want %d", name, c.cfg.Limits.Rate, c.rate)
		}
		if l := c.cfg.Limits; l.Rate == 100 && (l.Joins != 20 || l.Chats != 10) {
			t.Errorf("%s: %d joins and %d messages a second, want 20 and 10", name, l.Joins, l.Chats)
		}
		if off := c.cfg.Edge.UserConnections == 0; off != (name == "open on loopback" || name == "set on loopback") {
			t.Errorf("%s: %d connections a user", name, c.cfg.Edge.UserConnections)
		}
	}
}

func TestFitDescriptors(t *testing.T) {
	for _, c := range []struct {
		open                      uint64
		connections, plain, ports int
		wantConnections, wantP    int
	}{
		{1 << 20, 100_000, 500, 1, 100_000, 500},
		{1024, 100_000, 500, 1, 384, 128},
		{300, 100_000, 500, 1, 113, 37},
		{300, 100_000, 0, 1, 150, 0},
		{1 << 63, 100_000, 500, 1, 100_000, 500},
		{1024, 100_000, 500, 2, 384, 64},
		{10_000, 100_000, 500, 2, 8360, 500},
	} {
		if connections, plain := fitDescriptors(c.open, c.connections, c.plain, c.ports); connections != c.wantConnections || plain != c.wantP {
			t.Errorf("of %d open files %d are for WebSockets and %d for others, want %d and %d", c.open, connections, plain, c.wantConnections, c.wantP)
		}
	}
}

func TestFitBackends(t *testing.T) {
	for open, want := range map[uint64]int{1 << 63: 1024, 10_000: 1024, 1024: 128, 1: 1} {
		if got := fitBackends(open); got != want {
			t.Errorf("of %d open files %d are for backends, want %d", open, got, want)
		}
	}
}

// failing is a listener that cannot accept for a while, as when the process has
// no descriptors left.
type failing struct {
	net.Listener
	fail chan error
}

func (f *failing) Accept() (net.Conn, error) {
	select {
	case err := <-f.fail:
		return nil, &net.OpError{Op: "accept", Err: err}
	default:
		return f.Listener.Accept()
	}
}

// A connector that cannot accept says that it is not ready, and goes on.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f := &failing{l, make(chan error, 1)}
		f.fail <- errno
		r := newEdgeRig(t, func(cfg *Config) { cfg.Listener = f })
		cannot := func() bool {
			return slices.ContainsFunc(r.c.Health(t.Context()).Unready, func(reason string) bool {
				return strings.Contains(reason, "clients cannot connect")
			})
		}
		await.That(t, "it is not ready after "+errno.Error(), cannot)
		r.enter("ada")
		await.That(t, "it accepts again", func() bool { return !cannot() })
	}
}
