package connector

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/internal/testing/wstest"
	"github.com/parley-chat/parley/schema/rpc"
)

// badRig is a connector that gets all cases of a table of bad input, with a
// bystander who must not notice any.
type badRig struct {
	*edgeRig
	bystander *websocket.Conn
}

func newBadRig(t *testing.T, changes ...func(*Config)) *badRig {
	t.Helper()
	r := newEdgeRig(t, changes...)
	return &badRig{r, r.enter("bystander")}
}

// unharmed sees that the bystander is served, and that nothing is left of the
// connection before.
func (r *badRig) unharmed(t *testing.T) {
	t.Helper()
	if answer := answerTo(t, r.bystander, `{"jsonrpc":"2.0","id":1,"method":"ping"}`); !strings.Contains(answer, `"result":{}`) {
		t.Errorf("the bystander's ping is answered %s", answer)
	}
	await.That(t, "nothing is left of the connection", func() bool {
		return r.inc.sessions.count() == 1 && r.c.server.Plain() == 0 && r.c.edge.Counts().Open == 1
	})
}

// dialRaw opens a WebSocket whose frames a test writes by the byte.
func (r *badRig) dialRaw(t *testing.T) net.Conn {
	t.Helper()
	c := plaintest.Send(t, "", r.addr, "")
	wstest.Upgrade(t, c)
	return c
}

// talk is a connection for one case after the other, each of which it outlives.
func (r *badRig) talk(t *testing.T, user string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	if user != "" {
		if answer := answerTo(t, ws, r.helloOf(user)); !strings.Contains(answer, `"result"`) {
			t.Fatalf("hello is answered %s", answer)
		}
	}
	return ws
}

// answered is what a frame is answered with.
type answered struct {
	ID    json.RawMessage `json:"id"`
	Error *rpc.Error      `json:"error"`
}

// answerOf sends a frame and reads its answer.
func answerOf(t *testing.T, ws *websocket.Conn, frame string) (a answered, text string) {
	t.Helper()
	text = answerTo(t, ws, frame)
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%.200s is answered %.300s: %v", frame, text, err)
	}
	return a, text
}

// over opens a connection for one case, and sees what is left when it is closed.
func (r *badRig) over(t *testing.T, user string, try func(*websocket.Conn)) {
	t.Helper()
	ws := r.talk(t, user)
	try(ws)
	_ = ws.Close()
	r.unharmed(t)
}

func requestFor(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params)
}

// endsWith reads until a connection ends: with a close frame of the code, or, for
// 0, without one.
func endsWith(t *testing.T, c net.Conn, code int) {
	t.Helper()
	got := 0
	for got == 0 {
		f, err := wstest.Read(c)
		if err != nil {
			break
		}
		got = f.Code()
	}
	if got != code {
		t.Errorf("the connection ends with %d, want %d", got, code)
	}
}

// jsonOf is JSON as a claim takes it.
func jsonOf(text string) (v any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}
