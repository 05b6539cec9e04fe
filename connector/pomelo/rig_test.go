package pomelo

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/testing/wstest"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	patience  = 10 * time.Second
	testFrame = 8 << 10 // of limits.frame
)

// rig is a server of pomelo's wire. Its application echoes what requests say, and
// does what some routes ask.
type rig struct {
	t      testing.TB
	addr   string
	server *ws.Server
	shared *ws.Shared
	secure *tls.Config // of clients; nil: without TLS
	conns  chan *Conn
	ended  chan front.Ending
	heard  chan string // routes and bodies of notifies
}

func newRig(t testing.TB, cert *certtest.Certificate) *rig {
	t.Helper()
	r := &rig{
		t: t, conns: make(chan *Conn, 10_000), ended: make(chan front.Ending, 10_000), heard: make(chan string, 10_000),
		shared: ws.NewShared(rpc.Limits{Frame: testFrame, Queue: 1 << 20}, 0, nil, nil),
	}
	cfg := ws.Config{Host: r, Path: "/", Plain: 100, Logger: slog.New(slog.DiscardHandler), Raw: func(netip.Addr) (ws.Place, bool) { return r, true }}
	if cert != nil {
		cfg.TLS, r.secure = cert.Server(t), certtest.Client(*cert)
	}
	r.server = ws.NewServer(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(l) }()
	t.Cleanup(func() {
		_ = r.server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) Refuse(*http.Request) string           { return "" }
func (r *rig) Admit(*http.Request) (ws.Place, error) { return r, nil }
func (r *rig) Shared() *ws.Shared                    { return r.shared }
func (r *rig) Fail()                                 {}
func (r *rig) Open(c *ws.Conn, from ws.Arrival)      { go r.serve(New(c, from, testFrame)) }

func (r *rig) serve(c *Conn) {
	r.conns <- c
	ending := c.Exchange(func(h Handshake) (int, []byte) {
		switch string(h.User) {
		case `"refused"`:
			return HandshakeRefused, nil
		case `"closed"`:
			c.Close(rpc.CloseTryLater, "later")
			return HandshakeRefused, nil
		case `"told"`:
			return HandshakeOK, []byte(`{"told":"😀"}`)
		}
		return HandshakeOK, nil
	}, func(q Request, bad *rpc.Error) {
		switch {
		case q.ID == nil && bad == nil:
			r.heard <- q.Route + string(q.Body)
		case q.ID == nil:
			r.heard <- bad.Message
		case bad != nil:
			c.Respond(bytes.Clone(q.ID), func(b []byte) []byte {
				return append(rpc.AppendJSON(append(b, `{"code":500,"error":`...), bad.Message), '}')
			})
		case q.Route == "test.close":
			c.Close(rpc.CloseShutdown, "shutting down 😀")
		default:
			c.Respond(bytes.Clone(q.ID), func(b []byte) []byte { return append(b, q.Body...) })
		}
	})
	r.ended <- ending
	c.Discard()
}

// client is one by the byte, over TCP or WebSockets.
type client struct {
	net.Conn
	t      testing.TB
	framed bool
}

func (r *rig) dial(framed bool) *client {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.secure != nil {
		c = tls.Client(c, r.secure)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	if framed {
		wstest.Upgrade(r.t, c)
	}
	return &client{c, r.t, framed}
}

// work is a client that has made the handshake, and has read what that brings.
func (r *rig) work(framed bool) *client {
	r.t.Helper()
	c := r.dial(framed)
	c.send(greetingOf(""), string([]byte{2, 0, 0, 0}))
	c.expect(`1{"code":200,"sys":{"heartbeat":25}}`, "3")
	return c
}

// greetingOf is the package of a handshake whose user is JSON; "": none.
func greetingOf(user string) string {
	if user != "" {
		user = `,"user":` + user
	}
	return packageOf(1, `{"sys":{"type":"js-websocket","version":"0.0.1","rsa":{},"protoVersion":0}`+user+`}`)
}

func packageOf(k byte, body string) string {
	return string(appendPackage(nil, kind(k), func(b []byte) []byte { return append(b, body...) }))
}

// requestOf is the package of a request with an id of one byte.
func requestOf(id byte, route, body string) string {
	return packageOf(4, string([]byte{0, id, byte(len(route))})+route+body)
}

// send sends packages, each in a frame where there are frames.
func (c *client) send(packages ...string) {
	c.t.Helper()
	for _, p := range packages {
		c.write(p)
	}
}

func (c *client) write(p string) {
	c.t.Helper()
	b := []byte(p)
	if c.framed {
		b = wstest.Frame(wstest.Final|2, uint64(len(p)), p)
	}
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next is the next package, its kind as a digit, or how the connection ends: "end",
// with the code of the close frame where there is one.
func (c *client) next() string {
	c.t.Helper()
	if c.framed {
		f, err := wstest.Read(c.Conn)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.t.Fatal("nothing comes")
		case err != nil:
			return "cut"
		case f.Code() != 0:
			return "end" + string(f.Payload[2:])
		case f.First != wstest.Final|2:
			c.t.Fatalf("a frame %x", f.First)
		}
		k, body, err := parse(f.Payload, 1<<24)
		if err != nil && k != kick {
			k, body = kind(f.Payload[0]), f.Payload[4:]
		}
		return string('0'+rune(k)) + string(body)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	var h [4]byte
	if _, err := io.ReadFull(c, h[:]); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Fatal("nothing comes")
		}
		if errors.Is(err, io.EOF) {
			return "end"
		}
		return "cut"
	}
	body := make([]byte, int(h[1])<<16|int(h[2])<<8|int(h[3]))
	if _, err := io.ReadFull(c, body); err != nil {
		c.t.Fatal(err)
	}
	return string('0'+rune(h[0])) + string(body)
}

// expect sees what comes next. After a * only the beginning counts.
func (c *client) expect(all ...string) {
	c.t.Helper()
	for _, want := range all {
		got := c.next()
		if start, open := strings.CutSuffix(want, "*"); got != want && (!open || !strings.HasPrefix(got, start)) {
			c.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// onBoth runs a test over TCP and over a WebSocket, each with and without TLS.
func onBoth(t *testing.T, test func(t *testing.T, r *rig, framed bool)) {
	t.Helper()
	secure := certtest.New(t, 24*time.Hour)
	for name, cert := range map[string]*certtest.Certificate{"plain": nil, "TLS": &secure} {
		for way, framed := range map[string]bool{"TCP": false, "WebSocket": true} {
			t.Run(name+"/"+way, func(t *testing.T) { test(t, newRig(t, cert), framed) })
		}
	}
}
