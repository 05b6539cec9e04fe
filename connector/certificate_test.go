package connector

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/internal/trust"
)

// withTLS makes clients connect over TLS with a certificate.
func withTLS(t *testing.T, cert certtest.Certificate) func(*Config) {
	certFile, keyFile := cert.Write(t, t.TempDir())
	return func(cfg *Config) {
		served, err := trust.OpenServed(certFile, keyFile, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificate = served
	}
}

// A session over TLS is one as any other: the upgrade, small answers, and
// answers of which a slow reader's socket takes a part at a time.
func TestSessionOverTLS(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	r := newEdgeRig(t, withAuth, withTLS(t, cert))
	dialer := websocket.Dialer{TLSClientConfig: certtest.Client(cert)}
	ws, _, err := dialer.Dial("wss://"+r.addr+"/ws", http.Header{"Origin": {"https://" + r.addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if answer := r.hello(ws, "ada"); !strings.Contains(answer, `"user":"ada"`) {
		t.Fatalf("hello is answered %s", answer)
	}
	for _, size := range []int{0, 10, 20_000, 1 << 20} {
		params := map[string]string{"padding": strings.Repeat("x", size)}
		for range 3 {
			r.inc.sessions.list()[0].front.Push("event", params)
		}
		time.Sleep(10 * time.Millisecond) // the socket is full
		for range 3 {
			_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
			_, text, err := ws.ReadMessage()
			if err != nil || !bytes.Contains(text, []byte(`"padding":"`+params["padding"]+`"`)) {
				t.Fatalf("a push of %d bytes came as %d: %v", size, len(text), err)
			}
		}
	}
	if answer := answerTo(t, ws, `{"jsonrpc":"2.0","id":2,"method":"ping"}`); !strings.Contains(answer, `"result"`) {
		t.Errorf("ping is answered %s", answer)
	}
	// Who made the page of the same host in plain HTTP is anybody's guess.
	_, res, err := dialer.Dial("wss://"+r.addr+"/ws", http.Header{"Origin": {"http://" + r.addr}})
	if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("a page of plain HTTP: %v, %v", res, err)
	}
}

// What does not speak TLS, or no TLS that is safe, is turned away without a line
// in the log that says so.
func TestStrangersAtTheTLSPort(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	var mu sync.Mutex
	var logged bytes.Buffer
	r := newEdgeRig(t, withAuth, withTLS(t, cert), func(cfg *Config) {
		cfg.Base = roles.Base{Logger: slog.New(slog.NewTextHandler(locked{&mu, &logged}, nil))}
		cfg.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	})
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"} {
		c := r.raw(request)
		_ = c.SetReadDeadline(time.Now().Add(await.Limit))
		text, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(text), "HTTP/1.0 400") || !strings.Contains(string(text), "HTTPS") {
			t.Errorf("a plain request is answered %q", text)
		}
	}
	for range 50 {
		c := r.raw("\x03\x00\x00\x13\x0e\xe0 not TLS at all")
		_ = c.SetReadDeadline(time.Now().Add(await.Limit))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatal("what is not TLS holds its connection")
		}
	}
	old := certtest.Client(cert)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := tls.Dial("tcp", r.addr, old); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := certtest.Client(cert)
		config.MaxVersion, config.NextProtos = version, []string{"h2", "http/1.1"}
		c, err := tls.Dial("tcp", r.addr, config)
		if err != nil {
			t.Errorf("TLS %x: %v", version, err)
			continue
		}
		if c.ConnectionState().NegotiatedProtocol != "http/1.1" {
			t.Errorf("they agree on %q", c.ConnectionState().NegotiatedProtocol)
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Error(err)
		}
		if status := plaintest.Status(c); status != http.StatusOK {
			t.Errorf("over TLS %x the page is answered with %d", version, status)
		}
		_ = c.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	for line := range strings.Lines(logged.String()) {
		if !strings.Contains(line, "open_files") { // which is of this machine
			t.Errorf("strangers fill the log: %s", line)
		}
	}
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// A handshake that never ends is ended, and counts among the connections that are
// not WebSockets: it keeps nobody out.
func TestHandshakesAreBounded(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	r := newEdgeRig(t, withAuth, withTLS(t, cert), func(cfg *Config) {
		cfg.Edge.Plain = 20
		cfg.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	})
	var stuck []net.Conn
	for range 60 {
		stuck = append(stuck, r.raw("\x16\x03\x01\x02\x00\x01")) // the beginning of a ClientHello
	}
	await.That(t, "no more handshakes than plain connections", func() bool { return r.c.server.Plain() <= 20 })
	client := &http.Client{Timeout: await.Limit, Transport: &http.Transport{TLSClientConfig: certtest.Client(cert)}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + r.addr + "/")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("with %d stuck handshakes: %v %v", len(stuck), res, err)
	}
	_ = res.Body.Close()
	for i, c := range stuck {
		_ = c.SetReadDeadline(time.Now().Add(await.Limit))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("handshake %d is still under way", i)
		}
	}
}

// A certificate that expires soon makes the connector say so, and no less ready.
func TestCertificateThatExpiresSoon(t *testing.T) {
	t.Parallel()
	from := time.Now().Add(-80 * 24 * time.Hour)
	r := newEdgeRig(t, withTLS(t, certtest.Make(t, from, from.Add(90*24*time.Hour))))
	h := r.c.Health(t.Context())
	if !slices.ContainsFunc(h.Warnings, func(w string) bool { return strings.Contains(w, "expires in 9 days") }) {
		t.Errorf("it warns of %v", h.Warnings)
	}
	if slices.ContainsFunc(h.Unready, func(why string) bool { return strings.Contains(why, "certificate") }) {
		t.Errorf("it is not ready for that: %v", h.Unready)
	}
	if !slices.Contains(r.c.troubles(), h.Warnings[0]) {
		t.Errorf("doctor learns %v", r.c.troubles())
	}
}
