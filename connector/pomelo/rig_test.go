package pomelo

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/testing/pomelotest"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	testFrame = 8 << 10 // of limits.frame
	testQueue = 1 << 20 // of limits.queue
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
		shared: ws.NewShared(rpc.Limits{Frame: testFrame, Queue: testQueue}, 0, nil, nil),
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

func (r *rig) dial(framed bool) *pomelotest.Client {
	r.t.Helper()
	return pomelotest.Dial(r.t, r.addr, framed, r.secure)
}

// work is a client that has made the handshake.
func (r *rig) work(framed bool) *pomelotest.Client {
	r.t.Helper()
	return r.dial(framed).Work("")
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
