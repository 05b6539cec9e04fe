package connector

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// openLog takes everything and acknowledges nothing.
type openLog struct{ appender }

func (openLog) Append(int, eventlog.Record, func(eventlog.Ack)) error { return nil }

// rightsRig is a session of eve, who may join what a file of grants says and is
// in channels room and lobby.
type rightsRig struct {
	*edgeRig
	ws *websocket.Conn
	s  *session
}

func newRightsRig(t *testing.T, file *GrantsFile, store archive) *rightsRig {
	t.Helper()
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Grants = file })
	r.inc.events.producer, r.inc.past.archive = openLog{}, store
	ws := r.open()
	answerTo(t, ws, helloWith(rigToken(t, "eve", jwt.MapClaims{"parley": map[string]any{}})))
	s := r.inc.sessions.list()[0]
	for _, name := range []string{"lobby", "room"} {
		ch := r.inc.channels.subscribe(name)
		applyTo(t, ch, 1000, &schema.Update{Kind: &schema.Update_Joined{Joined: &schema.Joined{Subscribed: true}}})
		p := memberOf(ch, s)
		s.mu.Lock()
		s.places[name] = p
		s.mu.Unlock()
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		clear(s.places) // there is no log to take leaves
	})
	return &rightsRig{r, ws, s}
}

func grantsFileOf(t *testing.T, text string) (f *GrantsFile, rewrite func(text string)) {
	t.Helper()
	path := grantsPath(t)
	write(t, path, text)
	f, err := OpenGrants(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f, func(text string) {
		write(t, path, text)
		f.Reload()
	}
}

const grantsBoth = `{"grants": [{"channels": ["lobby", "room"], "allow": ["join"]}]}`

// A request that notices a change of rights before the housekeeping does keeps
// nobody in the channels that it is not about.
func TestRequestsHideNoChangeOfRights(t *testing.T) {
	t.Parallel()
	file, rewrite := grantsFileOf(t, grantsBoth)
	r := newRightsRig(t, file, nil)
	ask := func(params string) {
		answerTo(t, r.ws, `{"jsonrpc":"2.0","id":2,"method":"members","params":`+params+`}`)
	}
	removed := func(want string) {
		t.Helper()
		ask(`{"channel":"lobby"}`)
		r.s.keep(time.Now())
		if push := answerTo(t, r.ws, `{"jsonrpc":"2.0","id":3,"method":"ping"}`); !strings.Contains(push, `"removed","params":{"channel":"`+want) {
			t.Errorf("instead of being put out of %s it gets %s", want, push)
			return
		}
		if _, pong, err := r.ws.ReadMessage(); err != nil {
			t.Errorf("%s, %v", pong, err)
		}
	}
	ask(`{"channel":"room"}`)
	r.s.keep(time.Now())
	rewrite(grantsJoin)
	removed("room")

	// Of two channel tokens the later one grants less.
	r.s.mu.Lock()
	delete(r.s.places, "room")
	r.s.mu.Unlock()
	token := func(allow ...string) string {
		return rigToken(t, "eve", jwt.MapClaims{"channel": "room", "allow": allow})
	}
	if bad := r.s.admit("room", token("join")); bad != nil {
		t.Fatal(bad)
	}
	p := memberOf(r.inc.channels.get("room"), r.s)
	r.s.mu.Lock()
	r.s.places["room"] = p
	r.s.mu.Unlock()
	r.s.keep(time.Now())
	if bad := r.s.admit("room", token("chat")); bad != nil {
		t.Fatal(bad)
	}
	removed("room")
}

// Who joins a channel twice and is put out of it before the second result is
// made is not told that they are in it, also when they may join again.
func TestSecondJoinOfOneWhoIsPutOut(t *testing.T) {
	for _, regained := range []bool{false, true} {
		t.Run(fmt.Sprint("regained ", regained), func(t *testing.T) {
			t.Parallel()
			file, rewrite := grantsFileOf(t, strings.Replace(grantsBoth, `"join"`, `"*"`, 1))
			store := &heldArchive{gate: make(chan struct{})}
			r := newRightsRig(t, file, store)
			r.s.keep(time.Now())
			if err := r.ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"room"}}`)); err != nil {
				t.Fatal(err)
			}
			await.That(t, "history is read", func() bool { return store.reading.Load() > 0 })
			rewrite(grantsJoin)
			r.s.keep(time.Now())
			if regained {
				rewrite(grantsBoth)
			}
			close(store.gate)
			for _, want := range []string{`"removed"`, `"id":2,"error":{"code":1002`} {
				if _, frame, err := r.ws.ReadMessage(); err != nil || !strings.Contains(string(frame), want) {
					t.Errorf("it gets %s, %v, want %s", frame, err, want)
				}
			}
		})
	}
}
