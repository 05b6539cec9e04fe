package connector

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// A flood of requests is refused while its own socket waits, and closed when
// it does not end.
func TestFloodOfRequests(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Limits.Rate, cfg.Edge.UserRate = 50, -1 })
	ws := r.enter("ada")
	go func() {
		ping := []byte(`{"jsonrpc":"2.0","id":7,"method":"ping"}`)
		for ws.WriteMessage(websocket.TextMessage, ping) == nil {
		}
	}()
	begun, answers, refused := time.Now(), 0, 0
	_ = ws.SetReadDeadline(begun.Add(await.Limit))
	for {
		_, answer, err := ws.ReadMessage()
		if websocket.IsCloseError(err, rpc.CloseMisuse) {
			break
		}
		if err != nil {
			t.Fatalf("after %d answers, %d refused: %v", answers, refused, err)
		}
		if answers++; bytes.Contains(answer, []byte(`"code":1005`)) {
			refused++
		}
	}
	took := time.Since(begun).Seconds()
	if most := float64(requestBurst(r.inc.limits)) + 2.5*50*(took+1); float64(answers) > most {
		t.Errorf("%d requests were answered in %.1f s, at 50 a second", answers, took)
	}
	if refused == 0 {
		t.Error("nothing was refused before the connection was closed")
	}
}

// Sessions of one user share a rate, so that more of them bring no more.
func TestRateOfAUser(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) {
		cfg.Limits.Rate, cfg.Limits.Channels, cfg.Edge.UserRate = 1000, 1, 10
	})
	passed := func(user string) (n int) {
		for range 5 {
			ws := r.enter(user)
			for range 4 {
				if !strings.Contains(answerTo(t, ws, `{"jsonrpc":"2.0","id":7,"method":"ping"}`), `"code":1005`) {
					n++
				}
			}
			_ = ws.Close() // and nobody gets a fresh allowance by coming back
		}
		return n
	}
	for _, user := range []string{"ada", "bob"} {
		began := time.Now()
		n := passed(user)
		took := time.Since(began).Seconds()
		if n < 11 || float64(n) > 12+10*took+1 {
			t.Errorf("%d of 20 pings of %s over five sessions passed in %.1f s, of 12 and 10 a second", n, user, took)
		}
	}
}

// All sessions of a user together flood no more than one: each may stay below
// what a session is closed for.
func TestFloodOfSessions(t *testing.T) {
	t.Parallel()
	const sessions, each = 20, 15 // requests a second
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Limits.Rate, cfg.Limits.Channels, cfg.Edge.UserRate = 20, 1, 20 })
	misuse := make(chan struct{}, sessions)
	for range sessions {
		ws := r.enter("ada")
		go func() {
			ping := []byte(`{"jsonrpc":"2.0","id":7,"method":"ping"}`)
			for ws.WriteMessage(websocket.TextMessage, ping) == nil {
				time.Sleep(time.Second / each)
			}
		}()
		go func() {
			if closeCode(ws) == rpc.CloseMisuse {
				misuse <- struct{}{}
			}
		}()
	}
	other := r.enter("bob")
	select {
	case <-misuse:
	case <-time.After(await.Limit):
		t.Errorf("%d sessions at %d requests a second are served for ever, at %d for all of them", sessions, each, 20)
	}
	if answer := answerTo(t, other, `{"jsonrpc":"2.0","id":7,"method":"ping"}`); !strings.Contains(answer, `"result"`) {
		t.Errorf("another user's ping is answered %s", answer)
	}
}

// Whoever has not said hello has nothing else to say for long.
func TestFloodBeforeHello(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth)
	ws := r.open()
	go func() {
		ping := []byte(`{"jsonrpc":"2.0","id":7,"method":"ping"}`)
		for ws.WriteMessage(websocket.TextMessage, ping) == nil {
		}
	}()
	if code := closeCode(ws); code != rpc.CloseMisuse {
		t.Errorf("a flood before hello is closed with %d", code)
	}
}

// A request that there is no room for counts as one: whoever fills the room
// gets no more answers than others.
func TestRefusedForRoomIsRated(t *testing.T) {
	v := serveAlone(t, func(inc *incarnation) { inc.limits.Rate, inc.limits.Channels = 20, 20 })
	ch := v.inc.channels.subscribe("a")
	for i := range maxMembers {
		applyTo(t, ch, int64(i+1), &schema.Update{Kind: &schema.Update_Joined{Joined: &schema.Joined{User: fmt.Sprintf("user%04d", i), First: true}}})
	}
	ws, s := v.enter("eve", ch)
	s.mu.Lock()
	p := s.places["a"]
	p.state, p.result = catchingUp, &operation{join: true, asked: []*joinCall{{}}} // which is long in the making
	s.mu.Unlock()
	v.ask(ws, `{"jsonrpc":"2.0","id":1,"method":"members","params":{"channel":"a","limit":1000}}`)
	await.That(t, "it waits", func() bool { return v.inc.shared.Requests.Used() > 2<<10 })
	var others atomic.Int64
	v.inc.shared.Requests.Reserve(&others, 128<<20-int(v.inc.shared.Requests.Used()), 128<<20)
	go func() {
		for ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":7,"method":"ping"}`)) == nil {
		}
	}()
	defer ws.Close()
	_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
	if _, _, err := ws.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	answers := 1
	_ = ws.SetReadDeadline(time.Now().Add(2 * time.Second))
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			break
		}
		answers++
	}
	if answers > 40+20*10 {
		t.Errorf("%d requests are answered in 2 s, at 20 a second and 40 at once", answers)
	}
}

// Verifying a token costs more than any other request that reads nothing: a
// session has a few verified, however many requests it may send.
func TestRateOfTokens(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth)
	begun, taken := time.Now(), 1
	ws := r.enter("ada")
	for range 3 * tokenBurst {
		switch answer := r.hello(ws, "ada"); {
		case strings.Contains(answer, `"code":1005`):
		case strings.Contains(answer, `"result"`):
			taken++
		default:
			t.Fatal(answer)
		}
	}
	if taken < tokenBurst {
		t.Errorf("%d tokens were taken, at %d at once", taken, tokenBurst)
	}
	tookAtMost(t, "tokens", taken, tokenBurst, tokenRate, begun)
	if answer := answerTo(t, ws, `{"jsonrpc":"2.0","id":1,"method":"hello"}`); !strings.Contains(answer, `"result"`) {
		t.Errorf("a hello without a token is answered with %s", answer)
	}
}

// tookAtMost sees that no more was taken since then than a bucket allows.
func tookAtMost(t *testing.T, what string, taken, burst, perSecond int, begun time.Time) {
	t.Helper()
	seconds := time.Since(begun).Seconds()
	if most := float64(burst) + float64(perSecond)*seconds; float64(taken) > most {
		t.Errorf("%d %s were taken in %.1f s, at %d at once and %d a second", taken, what, seconds, burst, perSecond)
	}
}

// Tokens of channels are rated before they are verified.
func TestRateOfChannelTokens(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Limits.Joins, cfg.Limits.Channels = 1, 20 })
	begun, verified := time.Now(), 0
	ws := r.enter("ada")
	for range 60 {
		answer := answerTo(t, ws, `{"jsonrpc":"2.0","id":1,"method":"join","params":{"channel":"a","token":"x"}}`)
		if strings.Contains(answer, `"reason":"invalid"`) {
			verified++
		} else if !strings.Contains(answer, `"code":1005`) {
			t.Fatal(answer)
		}
	}
	tookAtMost(t, "joins with bad tokens", verified, 20, 1, begun)
}
