package tests

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// exchange sends a frame as it is and returns the next answer as it is.
func exchange(t *testing.T, ws *websocket.Conn, frame string) string {
	t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	_, answer, err := ws.ReadMessage()
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return string(answer)
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// Each bad request gets the error the protocol names, and the connection goes
// on unharmed.
func TestBadRequests(t *testing.T) {
	_, url, _ := up(t)
	ws := dial(t, url)
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ frame, id, want string }{
		{`{"jsonrpc":"2.0","id":1,"method":"join","params":{"channel":"a"}}`, `1`, `"code":1001`},
		{`{"jsonrpc":"2.0","id":1,"method":"nothing"}`, `1`, `"code":-32601`},
		{`{"jsonrpc":"2.0","id":1,"method":"hello","params":{}}`, `1`, `"field":"user"`},
		{`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":7}}`, `1`, `"field":"user"`},
		{`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"` + long + `"}}`, `1`, `-32602`},
		{`{"jsonrpc":"2.0","id":2,"method":"hello","params":{"user":"ada"}}`, `2`, `"version":1`},
		{`{"jsonrpc":"2.0","id":2,"method":"hello","params":{"user":"bob"}}`, `2`, `"code":1002`},
		{`{"jsonrpc":"2.0","id":2,"method":"hello","params":{"user":"ada"}}`, `2`, `"session"`},
		{`not JSON`, `null`, `-32700`},
		{`[]`, `null`, `-32600`},
		{`{"jsonrpc":"2.0","id":3}`, `3`, `-32600`},
		{`{"jsonrpc":"2.0","id":null,"method":"ping"}`, `null`, `"result":{}`},
		{`{"jsonrpc":"2.0","id":3,"method":"ping","params":[1]}`, `3`, `-32602`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":""}}`, `4`, `"field":"channel"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"` + long + `"}}`, `4`, `"field":"channel"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"a\u0007"}}`, `4`, `"field":"channel"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"a","limit":301}}`, `4`, `"field":"limit"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"a","limit":"5"}}`, `4`, `"field":"limit"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"a","since":5}}`, `4`, `"field":"epoch"`},
		{`{"jsonrpc":"2.0","id":4,"method":"join","params":{"channel":"a","since":-5,"epoch":"e"}}`, `4`, `"field":"since"`},
		{`{"jsonrpc":"2.0","id":5,"method":"chat","params":{"channel":"a","body":"x"}}`, `5`, `"code":1003`},
		{`{"jsonrpc":"2.0","id":5,"method":"leave","params":{"channel":"a"}}`, `5`, `"code":1003`},
		{`{"jsonrpc":"2.0","id":5,"method":"history","params":{"channel":"a"}}`, `5`, `"code":1003`},
		{`{"jsonrpc":"2.0","id":5,"method":"members","params":{"channel":"a"}}`, `5`, `"code":1003`},
		{`{"jsonrpc":"2.0","id":6,"method":"join","params":{"channel":"a"}}`, `6`, `"messages":[]`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":""}}`, `7`, `"field":"body"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a"}}`, `7`, `"field":"body"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":["x"]}}`, `7`, `"field":"body"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"` + strings.Repeat("y", 4097) + `"}}`, `7`, `"limit":4096`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"x","id":"` + strings.Repeat("i", 65) + `"}}`, `7`, `"field":"id"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"x","to":"` + long + `"}}`, `7`, `"field":"to"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"x","to":""}}`, `7`, `"field":"to"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"x","id":""}}`, `7`, `"field":"id"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","Body":"x"}}`, `7`, `"field":"body"`},
		{`{"jsonrpc":"2.0","id":7,"method":"chat","params":{"channel":"a","body":"\ud83d"}}`, `7`, `"field":"body"`},
		{`{"jsonrpc":"2.0","id":8,"method":"history","params":{"channel":"a","epoch":"nope"}}`, `8`, `"field":"epoch"`},
		{`{"jsonrpc":"2.0","id":8,"method":"history","params":{"channel":"a","before":1,"after":2}}`, `8`, `-32602`},
		{`{"jsonrpc":"2.0","id":8,"method":"history","params":{"channel":"a","before":-1}}`, `8`, `"field":"before"`},
		{`{"jsonrpc":"2.0","id":8,"method":"history","params":{"channel":"a","limit":0}}`, `8`, `"field":"limit"`},
		{`{"jsonrpc":"2.0","id":8,"method":"members","params":{"channel":"a","limit":1001}}`, `8`, `"field":"limit"`},
		{`{"jsonrpc":"2.0","id":8,"method":"members","params":{"channel":"a","after":"zzz"}}`, `8`, `"members":[]`},
	} {
		answer := exchange(t, ws, c.frame)
		if !strings.Contains(answer, `"id":`+c.id+`,`) || !strings.Contains(answer, c.want) {
			t.Errorf("%.100s\n is answered %.300s\n want id %s and %s", c.frame, answer, c.id, c.want)
		}
	}
}

// A notification is carried out and never answered, a bad one neither.
func TestNotifications(t *testing.T) {
	_, url, _ := up(t)
	ada := enter(t, url, "ada")
	ada.join("a")
	for _, frame := range []string{
		`{"jsonrpc":"2.0","method":"chat","params":{"channel":"a","body":"quiet"}}`,
		`{"jsonrpc":"2.0","method":"chat","params":{"channel":"nowhere","body":"quiet"}}`,
		`{"jsonrpc":"2.0","method":"nothing"}`,
		`{"jsonrpc":"2.0","method":"ping","params":[1]}`,
	} {
		if err := ada.Send([]byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	if m := ada.hears(); m.Body != "quiet" || m.ID == "" {
		t.Errorf("ada hears %+v", m)
	}
	ada.call(rpc.MethodPing, rpc.Empty{}, nil)
}

func TestFaultsOfTheClientCloseItsConnection(t *testing.T) {
	c := newCluster(t)
	url := c.connector(nil).addr
	for name, f := range map[string]struct {
		send func(*websocket.Conn) error
		code int
	}{
		"a binary frame": {func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.BinaryMessage, []byte("{}")) }, 1003},
		"not UTF-8":      {func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.TextMessage, []byte("\xff")) }, 1007},
		"too large":      {func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.TextMessage, make([]byte, 65<<10)) }, 1009},
		"too many malformed": {func(ws *websocket.Conn) error {
			for range 101 {
				if err := ws.WriteMessage(websocket.TextMessage, []byte("{")); err != nil {
					return err
				}
			}
			return nil
		}, rpc.CloseMisuse},
		"too many pings": {func(ws *websocket.Conn) error {
			for range 200 {
				if err := ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
					return nil
				}
			}
			return nil
		}, rpc.CloseMisuse},
		"empty fragments without end": {func(ws *websocket.Conn) error {
			raw := ws.NetConn()
			frames := []byte{0x01, 0x80, 0, 0, 0, 0} // a text message begins
			for range 200_000 {
				frames = append(frames, 0x00, 0x80, 0, 0, 0, 0)
			}
			_, _ = raw.Write(frames)
			return nil
		}, websocket.CloseAbnormalClosure},
	} {
		t.Run(name, func(t *testing.T) {
			ws := dial(t, url)
			if err := f.send(ws); err != nil {
				t.Fatal(err)
			}
			if code := closeCode(t, ws); code != f.code {
				t.Errorf("closed with %d, want %d", code, f.code)
			}
		})
	}
}

func closeCode(t *testing.T, ws *websocket.Conn) int {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	for {
		_, _, err := ws.ReadMessage()
		var timeout net.Error
		switch e := err.(type) {
		case nil:
			continue
		case *websocket.CloseError:
			return e.Code
		case net.Error:
			if timeout = e; timeout.Timeout() {
				t.Fatal("the connection stays open")
			}
		}
		return websocket.CloseAbnormalClosure
	}
}

func TestSubprotocolIsSelectedWhenOffered(t *testing.T) {
	c := newCluster(t)
	d := websocket.Dialer{Subprotocols: []string{"other", rpc.Subprotocol}}
	ws, _, err := d.Dial(c.connector(nil).addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if ws.Subprotocol() != rpc.Subprotocol {
		t.Errorf("subprotocol %q", ws.Subprotocol())
	}
}

func TestTooManyChannels(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Channels = 2 }).addr
	ada := enter(t, url, "ada")
	ada.join("a")
	ada.join("b")
	if bad := ada.refused(rpc.CodeTooManyChannels, rpc.MethodJoin, rpc.JoinParams{Channel: "c"}); bad.Data.Limit != 2 {
		t.Errorf("%+v", bad)
	}
	ada.leave("a")
	ada.join("c")
}

func TestRateLimit(t *testing.T) {
	c := newCluster(t)
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Rate, cfg.Limits.Channels = 1, 20 }).addr // slower than any machine asks
	ada := enter(t, url, "ada")
	answered := 0
	for limited := false; !limited; {
		err := ada.Call(soon(t), rpc.MethodPing, rpc.Empty{}, nil)
		if limited = err != nil; !limited {
			answered++
		} else if bad, ok := err.(*rpc.Error); !ok || bad.Code != rpc.CodeRateLimited || bad.Data.Retry < 1 {
			t.Fatal(err)
		}
	}
	if answered < 10 {
		t.Errorf("only %d requests were answered before one was limited", answered)
	}
}

// grantAll is the claim of a token that grants what is for every user.
var grantAll = map[string]any{"grants": []any{map[string]any{"channels": []string{"*"}, "allow": []string{"*"}}}}

func TestTokens(t *testing.T) {
	key := []byte("a key of at least thirty-two bytes")
	sign := func(claims jwt.MapClaims) string {
		s, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	c := newCluster(t)
	url := c.connector(func(cfg *connector.Config) {
		cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: key}}, Algorithms: []string{"HS256"}, Audience: "parley"}
	}).addr
	good := jwt.MapClaims{"sub": "ada", "exp": in(time.Hour), "aud": "parley"}

	for name, token := range map[string]string{
		"none":           "",
		"noise":          "x.y.z",
		"expired":        sign(jwt.MapClaims{"sub": "ada", "exp": in(-time.Hour), "aud": "parley"}),
		"no expiry":      sign(jwt.MapClaims{"sub": "ada", "aud": "parley"}),
		"other audience": sign(jwt.MapClaims{"sub": "ada", "exp": in(time.Hour), "aud": "other"}),
		"no subject":     sign(jwt.MapClaims{"exp": in(time.Hour), "aud": "parley"}),
		"other key":      sign(good) + "x",
	} {
		u, err := client.Dial(soon(t), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = u.Call(soon(t), rpc.MethodHello, rpc.HelloParams{Token: token, User: "ada"}, nil)
		if bad, ok := err.(*rpc.Error); !ok || bad.Code != rpc.CodeUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
		want := rpc.CloseBadToken
		if name == "expired" {
			want = rpc.CloseExpired
		}
		if code, _ := u.Ended(soon(t)); code != want {
			t.Errorf("%s: closed with %d", name, code)
		}
	}

	header := http.Header{"Authorization": {"Bearer " + sign(good)}}
	u, err := client.Dial(soon(t), url, header)
	if err != nil {
		t.Fatal(err)
	}
	var h rpc.HelloResult
	if err := u.Call(soon(t), rpc.MethodHello, rpc.HelloParams{}, &h); err != nil || h.User != "ada" {
		t.Fatalf("%+v, %v", h, err)
	}
	err = u.Call(soon(t), rpc.MethodHello, rpc.HelloParams{Token: sign(jwt.MapClaims{"sub": "bob", "exp": in(time.Hour), "aud": "parley"})}, nil)
	if bad, ok := err.(*rpc.Error); !ok || bad.Code != rpc.CodeForbidden {
		t.Errorf("a token of another user: %v", err)
	}
	short := sign(jwt.MapClaims{"sub": "ada", "exp": in(5 * time.Second), "aud": "parley"})
	if err := u.Call(soon(t), rpc.MethodHello, rpc.HelloParams{Token: short}, nil); err != nil {
		t.Fatal(err)
	}
	if code, err := u.Ended(soon(t)); code != rpc.CloseExpired {
		t.Errorf("an expired token closes with %d, %v", code, err)
	}
}

func TestASlowReaderIsClosedAndDelaysNobody(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Queue = 1 << 20 }).addr
	slow := dial(t, url)
	exchange(t, slow, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"slow"}}`)
	exchange(t, slow, `{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"a"}}`)
	ada := enter(t, url, "ada")
	ada.join("a")
	const volley = 100
	chat := []byte(`{"jsonrpc":"2.0","method":"chat","params":{"channel":"a","body":"` + strings.Repeat("x", 4000) + `"}}`)
	left := false
	for i := 0; !left && i < 500; i++ {
		for range volley {
			if err := ada.Send(chat); err != nil {
				t.Fatal(err)
			}
		}
		for heard := 0; heard < volley; {
			p, err := ada.Next(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			if p.Method == rpc.PushChat {
				heard++
			}
			left = left || p.Method == rpc.PushLeft
		}
	}
	if !left {
		t.Fatal("the slow reader was never closed")
	}
}

// A peer that reads nothing holds up neither the others nor a stop.
func TestAStopWaitsForNobodyLong(t *testing.T) {
	c := newCluster(t)
	c.worker()
	r := c.connector(nil)
	deaf := dial(t, r.addr)
	exchange(t, deaf, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"deaf"}}`)
	exchange(t, deaf, `{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"a"}}`)
	ada := enter(t, r.addr, "ada")
	ada.join("a")
	chat := []byte(`{"jsonrpc":"2.0","method":"chat","params":{"channel":"a","body":"` + strings.Repeat("x", 4000) + `"}}`)
	for range 2000 {
		if err := ada.Send(chat); err != nil {
			t.Fatal(err)
		}
	}
	for range 2000 {
		ada.hears()
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > patience {
		t.Errorf("the stop took %v", took)
	}
}

func TestNoHelloInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	c := newCluster(t)
	ws := dial(t, c.connector(nil).addr)
	if code := closeCode(t, ws); code != rpc.CloseNoHello {
		t.Errorf("closed with %d", code)
	}
}

func TestNoPong(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	url := c.connector(func(cfg *connector.Config) {
		cfg.PingEvery, cfg.PongTimeout = time.Second, time.Second
	}).addr
	ws := dial(t, url)
	ws.SetPingHandler(func(string) error { return nil })
	exchange(t, ws, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"mute"}}`)
	if code := closeCode(t, ws); code != rpc.CloseNoPong {
		t.Errorf("closed with %d", code)
	}
}

func TestHelloSaysTheLimits(t *testing.T) {
	c := newCluster(t)
	ada := enter(t, c.connector(nil).addr, "ada")
	want := rpc.Limits{Body: 4096, Frame: 64 << 10, Channels: 128, Recover: 300, Pipeline: 1000, Dedupe: 65536, Presence: 1000, Queue: ada.hello.Limits.Queue, Page: 1 << 20, Grace: 120_000, Data: 4096, Edits: 1000, Pairs: 10_000, Names: 20, Moderation: 10, Sanctions: 10_000}
	if ada.hello.Limits != want || ada.hello.Epoch == "" || ada.hello.Ping < 1000 || ada.hello.Connector == "" {
		t.Errorf("%+v", ada.hello)
	}
	raw, _ := json.Marshal(ada.hello)
	if !strings.Contains(string(raw), fmt.Sprintf(`"session":%q`, ada.hello.Session)) {
		t.Errorf("%s", raw)
	}
}
