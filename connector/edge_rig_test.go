package connector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// edgeRig is a connector's edge on a real port, for what needs no log: all that
// happens up to hello, and requests that are refused or answered from memory.
type edgeRig struct {
	t    testing.TB
	c    *Connector
	inc  *incarnation
	addr string
}

var rigKey = []byte("0123456789abcdef0123456789abcdef")

// rigToken is a token for a user who may do everything, with more in it.
func rigToken(t testing.TB, user string, more jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": user, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "parley": map[string]any{
		"grants": []any{map[string]any{"channels": []string{"*"}, "allow": []string{"*"}}},
	}}
	for name, v := range more {
		claims[name] = v
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(rigKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// withAuth makes the limits those of the open internet.
func withAuth(cfg *Config) {
	cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: rigKey}}, Algorithms: []string{"HS256"}}
}

func newEdgeRig(t testing.TB, changes ...func(*Config)) *edgeRig {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0"}
	for _, change := range changes {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inc := newIncarnation(&c.cfg, epoch.Log{Epoch: "e", Partitions: 1, Window: 100, Format: schema.NewestFormat}, nil, nil)
	ctx, cancel := context.WithCancel(context.Background())
	inc.ctx, inc.edge, inc.shared.Queues, inc.heart = ctx, c.edge, c.queues, newHeart(inc)
	c.current.Store(inc)
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(c.listener) }()
	t.Cleanup(func() {
		inc.sessions.close(rpc.CloseShutdown, "over")
		cancel()
		_ = c.server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended: %v", err)
		}
		inc.work.Wait()
	})
	return &edgeRig{t, c, inc, c.Addr().String()}
}

// dial opens a WebSocket; status is the answer where it is not 101.
func (r *edgeRig) dial(header http.Header) (ws *websocket.Conn, status int, retry string) {
	r.t.Helper()
	ws, res, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/ws", header)
	if err != nil {
		if res == nil {
			r.t.Fatalf("dial: %v", err)
		}
		return nil, res.StatusCode, res.Header.Get("Retry-After")
	}
	r.t.Cleanup(func() { _ = ws.Close() })
	return ws, http.StatusSwitchingProtocols, ""
}

func (r *edgeRig) open() *websocket.Conn {
	r.t.Helper()
	ws, status, _ := r.dial(nil)
	if status != http.StatusSwitchingProtocols {
		r.t.Fatalf("the upgrade is answered with %d", status)
	}
	return ws
}

// hello says hello as a user of the rig's key, or without authentication, and
// returns the answer.
func (r *edgeRig) hello(ws *websocket.Conn, user string) string {
	r.t.Helper()
	return answerTo(r.t, ws, r.helloOf(user))
}

// sayHello does not wait for the answer.
func (r *edgeRig) sayHello(ws *websocket.Conn, user string) {
	r.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(r.helloOf(user))); err != nil {
		r.t.Fatal(err)
	}
}

func (r *edgeRig) helloOf(user string) string {
	if r.c.cfg.Auth == nil {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":%q}}`, user)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"token":%q}}`, rigToken(r.t, user, nil))
}

func (r *edgeRig) enter(user string) *websocket.Conn {
	r.t.Helper()
	ws := r.open()
	if answer := r.hello(ws, user); !strings.Contains(answer, `"result"`) {
		r.t.Fatalf("hello of %s: %s", user, answer)
	}
	return ws
}

func answerTo(t testing.TB, ws *websocket.Conn, frame string) string {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
	_, answer, err := ws.ReadMessage()
	if err != nil {
		t.Fatalf("%.80s: %v", frame, err)
	}
	return string(answer)
}

// closeCode reads until the connection ends, and returns the code; 0: it was
// cut, or does not end.
func closeCode(ws *websocket.Conn) int {
	_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
	for {
		_, _, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return closed.Code
		case err != nil:
			return 0
		}
	}
}

// raw opens a TCP connection and sends text.
func (r *edgeRig) raw(text string) net.Conn {
	r.t.Helper()
	return plaintest.Send(r.t, "", r.addr, text)
}
