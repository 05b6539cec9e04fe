package connector

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/internal/testing/pomelotest"
	"github.com/parley-chat/parley/schema/rpc"
)

// withPomelo adds an address for clients of pomelo.
func withPomelo(cfg *Config) {
	cfg.Pomelo = &Pomelo{Listen: "127.0.0.1:0", Settings: chat.Settings{Routes: chat.DefaultRoutes()}}
}

// newPomeloRig is a connector's edge with such an address, which is returned.
func newPomeloRig(t *testing.T, changes ...func(*Config)) (r *edgeRig, addr string) {
	t.Helper()
	r = newEdgeRig(t, append(changes, withPomelo)...)
	r.inc.pomelo = r.c.pomeloOptions(r.inc)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = r.c.pomelo.server.Serve(r.c.pomelo.listener)
	}()
	t.Cleanup(func() {
		r.inc.sessions.close(rpc.CloseShutdown, "over")
		_ = r.c.pomelo.server.Close()
		<-served
	})
	return r, r.c.PomeloAddr().String()
}

const ownHello = "parley.rpc.hello"

// A client of pomelo is a session as any other, over each transport.
func TestPomeloSession(t *testing.T) {
	t.Parallel()
	r, addr := newPomeloRig(t)
	for way, framed := range map[string]bool{"TCP": false, "WebSocket": true} {
		c := pomelotest.Dial(t, addr, framed, nil).Work("")
		await.That(t, "it has a session", func() bool { return r.inc.sessions.count() == 1 })
		c.Send(pomelotest.Request(1, ownHello, `{"user":"ada"}`), pomelotest.Request(2, "parley.rpc.ping", ""))
		c.Expect("4\x04\x01"+`{"session":"*`, "4\x04\x02{}")
		await.That(t, way+" counts as a session that has said hello, and as no plain connection", func() bool {
			counts := r.c.edge.Counts()
			return counts.Open == 1 && counts.Silent == 0 && r.c.pomelo.server.Plain() == 0
		})
		_ = c.Close()
		await.That(t, "nothing is left of it", func() bool { return r.inc.sessions.count() == 0 && r.c.edge.Counts().Open == 0 })
	}
}

// A planned stop announces itself, and kicks clients so that they come back.
func TestPomeloDrain(t *testing.T) {
	t.Parallel()
	r, addr := newPomeloRig(t)
	for _, framed := range []bool{false, true} {
		pomelotest.Dial(t, addr, framed, nil).Send(pomelotest.Greeting("")) // who has not acknowledged it is told nothing
		c := pomelotest.Dial(t, addr, framed, nil).Work("")
		c.Send(pomelotest.Request(1, ownHello, `{"user":"ada"}`))
		c.Expect("4*")
		for _, s := range r.inc.sessions.list() {
			s.front.Push(rpc.PushDrain, rpc.DrainPush{After: 7})
			s.front.Close(rpc.CloseShutdown, "shutting down")
		}
		c.Expect("4\x06\x0cparley.drain"+`{"after":7}`, `5{"reason":"shutting down","reconnect":true,"parley":3001}`, "end*")
	}
}

// Browsers are let in as to the main address: by Host and Origin, at any path.
func TestBadPomeloUpgrades(t *testing.T) {
	t.Parallel()
	_, addr := newPomeloRig(t)
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
	for name, of := range map[string]struct {
		request string
		status  int
	}{
		"any path":                   {"GET /any/path?x=1 HTTP/1.1\r\nHost: localhost\r\n" + upgrade, http.StatusSwitchingProtocols},
		"a page of its own":          {"GET / HTTP/1.1\r\nHost: " + addr + "\r\nOrigin: http://" + addr + "\r\n" + upgrade, http.StatusSwitchingProtocols},
		"another host":               {"GET / HTTP/1.1\r\nHost: chat.example.com\r\n" + upgrade, http.StatusForbidden},
		"a page of another site":     {"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://example.com\r\n" + upgrade, http.StatusForbidden},
		"a page without an origin":   {"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n" + upgrade, http.StatusForbidden},
		"through a proxy":            {"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\n" + upgrade, http.StatusForbidden},
		"no upgrade":                 {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusBadRequest},
		"POST":                       {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", http.StatusMethodNotAllowed},
		"an upgrade with a body":     {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n" + upgrade + "x", http.StatusBadRequest},
		"no HTTP, but letters":       {"hello, is anybody there?\r\n\r\n", http.StatusBadRequest},
		"a request with a huge head": {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 17<<10) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			c := plaintest.Send(t, "", addr, of.request)
			if status := plaintest.Status(c); status != of.status {
				t.Errorf("it is answered with %d, want %d", status, of.status)
			}
			_ = c.Close()
		})
	}
}

// Connections that send nothing are bounded, whatever they would have become.
func TestPomeloConnectionsWithoutAByte(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	for name, secure := range map[string]func(*Config){"plain": func(*Config) {}, "TLS": withTLS(t, cert)} {
		t.Run(name, func(t *testing.T) {
			r, addr := newPomeloRig(t, secure, func(cfg *Config) { cfg.Edge.Plain = 20 })
			for range 60 {
				plaintest.Send(t, "", addr, "")
			}
			await.That(t, "no more than the limit", func() bool { n := r.c.pomelo.server.Plain(); return 0 < n && n <= 20 })
			c := plaintest.Send(t, "", addr, "")
			_ = c.SetReadDeadline(time.Now().Add(await.Limit))
			if _, err := c.Read(make([]byte, 1)); isTimeout(err) {
				t.Error("one that sends nothing stays")
			}
		})
	}
}

// Over TLS the certificate is that of the main address. A package in plain TCP is a
// handshake that fails, and is counted.
func TestPomeloOverTLS(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	r, addr := newPomeloRig(t, withTLS(t, cert))
	for _, framed := range []bool{false, true} {
		c := pomelotest.Dial(t, addr, framed, certtest.Client(cert)).Work("")
		c.Send(pomelotest.Request(1, ownHello, `{"user":"ada"}`))
		c.Expect("4\x04\x01" + `{"session":"*`)
	}
	page := pomelotest.Dial(t, addr, false, certtest.Client(cert))
	if _, err := page.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if status := plaintest.Status(page); status != http.StatusForbidden { // its page is https alone
		t.Errorf("a page that came without TLS is answered with %d", status)
	}
	stranger := plaintest.Send(t, "", addr, pomelotest.Greeting(""))
	_ = stranger.SetReadDeadline(time.Now().Add(await.Limit))
	if _, err := io.Copy(io.Discard, stranger); isTimeout(err) {
		t.Error("a connection without TLS stays")
	}
	if n := r.inc.sessions.count(); n != 2 {
		t.Errorf("there are %d sessions, want 2", n)
	}
}

// Beyond this machine raw TCP takes authentication or --open, as everything does.
func TestPomeloBeyondLoopback(t *testing.T) {
	t.Parallel()
	beyond := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3014}
	cfg := Config{Pomelo: &Pomelo{Listen: beyond.String()}}
	if err := Check(cfg, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err == nil || !strings.Contains(err.Error(), "--pomelo") {
		t.Errorf("without authentication it is %v", err)
	}
	cfg.Open = true
	if err := Check(cfg, beyond); err != nil {
		t.Errorf("with --open it is %v", err)
	}
}

// Those behind a trusted proxy, which names nobody over TCP, are not one client.
func TestPomeloBehindAProxy(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{true, false} {
		_, addr := newPomeloRig(t, withAuth, func(cfg *Config) {
			cfg.Edge.AddressConnections = 2
			if trusted {
				cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		for range 2 {
			pomelotest.Dial(t, addr, false, nil).Work("")
		}
		third := pomelotest.Dial(t, addr, false, nil)
		third.Send(pomelotest.Greeting(""))
		if got := third.Next(); strings.HasPrefix(got, "1") != trusted {
			t.Errorf("the proxy is trusted: %v; the third handshake brings %q", trusted, got)
		}
	}
}

// Who shakes hands with a bad token is refused; who has none may ask the gate.
func TestBadPomeloTokens(t *testing.T) {
	t.Parallel()
	_, addr := newPomeloRig(t, withAuth)
	for name, user := range map[string]string{
		"no token": `{"token":"hello"}`, "another's key": `{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.AAAA"}`, "expired": fmt.Sprintf(`{"token":%q}`, rigToken(t, "ada", jwt.MapClaims{"exp": 1})),
	} {
		for _, framed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, framed), func(t *testing.T) {
				c := pomelotest.Dial(t, addr, framed, nil)
				c.Send(pomelotest.Greeting(user))
				c.Expect(`1{"code":500}`, "end*")
			})
		}
	}
	c := pomelotest.Dial(t, addr, false, nil).Work("")
	c.Send(pomelotest.Request(1, "chat.chatHandler.send", `{"content":"x","target":"*"}`), pomelotest.Request(2, "gate.gateHandler.queryEntry", `{"uid":"ada"}`))
	c.Expect("4\x04\x01"+`{"code":500*`, "4\x04\x02"+`{"code":200*`)
	ada := pomelotest.Dial(t, addr, false, nil).Work(fmt.Sprintf(`{"token":%q}`, rigToken(t, "ada", nil)))
	ada.Send(pomelotest.Request(1, "parley.rpc.ping", "{}"))
	ada.Expect("4\x04\x01{}")
}

// A client that asks again and again for what is answered without its session, which
// would pace it, is answered up to a point.
func TestBadPomeloFloods(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"for an entry":            pomelotest.Request(1, "gate.gateHandler.queryEntry", `{"uid":"ada"}`),
		"for an entry of nobody":  pomelotest.Request(1, "gate.gateHandler.queryEntry", `{}`),
		"to send, without a room": pomelotest.Request(1, "chat.chatHandler.send", `{"content":"hi","target":"*"}`),
		"to enter, without one":   pomelotest.Request(1, "connector.entryHandler.enter", `{"username":"ada"}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := newPomeloRig(t)
			c := pomelotest.Dial(t, addr, false, nil).Work("")
			go func() {
				for range 1000 {
					if _, err := c.Write(c.Bytes(query)); err != nil {
						return
					}
				}
			}()
			answers := 0
			got := c.Next()
			for ; strings.HasPrefix(got, "4"); got = c.Next() {
				answers++
			}
			if got != `5{"reason":"too many requests for nothing but an entry","reconnect":false,"parley":3501}` || answers != 100 {
				t.Errorf("after %d answers comes %q", answers, got)
			}
		})
	}
}

// Connections that come and go in any way, at any moment, leave nothing.
func TestPomeloChurn(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	for name, secure := range map[string]func(*Config){"plain": func(*Config) {}, "TLS": withTLS(t, cert)} {
		t.Run(name, func(t *testing.T) {
			r, addr := newPomeloRig(t, secure, func(cfg *Config) { cfg.Edge.Plain = 8 })
			whole := pomelotest.Greeting("") + pomelotest.Package(pomelotest.Ack, "") + pomelotest.Request(1, ownHello, `{"user":"ada"}`)
			begins := []string{"", "\x01", whole, whole[:20], "GET / HTTP/1.1\r\n", "\x16\x03", "\x00", "POST "}
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					for j := range 40 {
						c, err := net.Dial("tcp", addr)
						if err != nil {
							t.Error(err)
							return
						}
						if name == "TLS" && (i+j)%3 > 0 {
							c = tls.Client(c, certtest.Client(cert))
						}
						_, _ = io.WriteString(c, begins[(i+j)%len(begins)])
						if j%2 == 0 {
							_ = c.SetReadDeadline(time.Now().Add(time.Duration(j) * time.Millisecond))
							_, _ = c.Read(make([]byte, 10))
						}
						_ = c.Close()
					}
				})
			}
			all.Wait()
			await.That(t, "nothing is left", func() bool {
				return r.c.pomelo.server.Plain() == 0 && r.c.edge.Counts().Open == 0 && r.inc.sessions.count() == 0
			})
		})
	}
}
