package connector

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

func helloWith(token string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"token":%q}}`, token)
}

// withIssuer is withAuth with more to check.
func withIssuer(cfg *Config) {
	withAuth(cfg)
	cfg.Auth.Issuer, cfg.Auth.MaxAge = "id", 2*time.Hour
}

// What becomes of a token, at the first hello and at a later one: its answer and
// how the connection ends.
func TestTokensAtHello(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withIssuer)
	in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	with := func(more jwt.MapClaims) string {
		claims := jwt.MapClaims{"iss": "id"}
		for name, v := range more {
			claims[name] = v
		}
		return rigToken(t, "ada", claims)
	}
	for name, c := range map[string]struct {
		token  string
		answer string
		code   int // 0: it goes on
	}{
		"a good one":            {with(nil), `"user":"ada","connector"`, 0},
		"with info":             {with(jwt.MapClaims{"parley": map[string]any{"info": []any{"Ada", 1}}}), `"user":"ada","info":["Ada",1],`, 0},
		"info of another kind":  {with(jwt.MapClaims{"parley": "x"}), `"code":1001`, rpc.CloseBadToken},
		"much info":             {with(jwt.MapClaims{"parley": map[string]any{"info": strings.Repeat("x", 511)}}), `"code":1001`, rpc.CloseBadToken},
		"expired":               {with(jwt.MapClaims{"exp": in(-time.Second)}), `"code":1001`, rpc.CloseExpired},
		"expired, and no iat":   {with(jwt.MapClaims{"exp": in(-time.Second), "iat": nil}), `"code":1001`, rpc.CloseBadToken},
		"expired, of an issuer": {with(jwt.MapClaims{"exp": in(-time.Second), "iss": "x"}), `"code":1001`, rpc.CloseBadToken},
		"expired, a signature":  {with(jwt.MapClaims{"exp": in(-time.Second)}) + "A", `"code":1001`, rpc.CloseBadToken},
		"too long":              {with(jwt.MapClaims{"exp": in(3 * time.Hour)}), `"code":1001`, rpc.CloseBadToken},
		"for a channel":         {with(jwt.MapClaims{"channel": "lobby"}), `"code":1001`, rpc.CloseBadToken},
		"of another issuer":     {with(jwt.MapClaims{"iss": "x"}), `"code":1001`, rpc.CloseBadToken},
	} {
		for _, later := range []bool{false, true} {
			ws := r.open()
			if later {
				if answer := answerTo(t, ws, helloWith(with(nil))); !strings.Contains(answer, `"result"`) {
					t.Fatalf("the first hello: %s", answer)
				}
			}
			answer := answerTo(t, ws, helloWith(c.token))
			if !strings.Contains(answer, c.answer) || strings.Contains(answer, c.token) {
				t.Errorf("%s, later %v: %s", name, later, answer)
			}
			if c.code == 0 {
				answerTo(t, ws, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
			} else if code := closeCode(ws); code != c.code {
				t.Errorf("%s, later %v: closed with %d, want %d", name, later, code, c.code)
			}
		}
	}
}

// A hello without a token says the same as before; info is that of the newest
// token.
func TestInfoOfTheNewestToken(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth)
	ws := r.open()
	for _, c := range []struct{ token, want string }{
		{rigToken(t, "ada", jwt.MapClaims{"parley": map[string]any{"info": 1}}), `"info":1,`},
		{"", `"info":1,`},
		{rigToken(t, "ada", jwt.MapClaims{"parley": map[string]any{"info": 2}}), `"info":2,`},
		{rigToken(t, "ada", nil), `"user":"ada","connector"`},
	} {
		if answer := answerTo(t, ws, helloWith(c.token)); !strings.Contains(answer, c.want) {
			t.Errorf("%s, want %s", answer, c.want)
		}
	}
}

// A session ends within a second of its token, unless a fresh one came.
func TestTokensRunOut(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t, withAuth)
	r.inc.spawn(func() { // as often as the connector does
		tick := time.NewTicker(housekeepEvery)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				for _, s := range r.inc.sessions.list() {
					s.keep(now)
				}
			case <-r.inc.ctx.Done():
				return
			}
		}
	})
	exp := time.Now().Add(4 * time.Second).Truncate(time.Second)
	short := rigToken(t, "ada", jwt.MapClaims{"exp": exp.Unix()})
	stale, fresh := r.open(), r.open()
	answerTo(t, stale, helloWith(short))
	answerTo(t, fresh, helloWith(short))
	if answer := r.hello(fresh, "ada"); !strings.Contains(answer, `"result"`) {
		t.Fatal(answer)
	}
	if code := closeCode(stale); code != rpc.CloseExpired {
		t.Errorf("it closes with %d", code)
	}
	if late := time.Since(exp); late < 0 || late > 10*time.Second { // 1 s, on a machine with nothing else to do
		t.Errorf("it closes %v after its token", late)
	}
	answerTo(t, fresh, `{"jsonrpc":"2.0","id":2,"method":"ping"}`)
}

// keySet is a server of a key set, and a token by its key.
func keySet(t *testing.T) (address string, answer *atomic.Bool, token func(kid string) string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := (&jose.JSONWebKey{Key: public, KeyID: "a"}).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	answer = new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !answer.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"keys":[%s]}`, text)
	}))
	t.Cleanup(server.Close)
	return server.URL, answer, func(kid string) string {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{"sub": "ada", "exp": time.Now().Add(time.Hour).Unix()})
		token.Header["kid"] = kid
		signed, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
}

func withKeySet(address string) func(*Config) {
	return func(cfg *Config) {
		cfg.Auth = &identity.Auth{JWKS: address, Algorithms: []string{"EdDSA"}, Audience: identity.AnyAudience}
	}
}

// A token of an unknown key is to come later, without an answer, at the first
// hello and at a later one.
func TestTokenOfAnUnknownKey(t *testing.T) {
	t.Parallel()
	address, answers, token := keySet(t)
	answers.Store(true)
	r := newEdgeRig(t, withKeySet(address))
	stop, err := r.c.fetchKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, later := range []bool{false, true} {
		ws := r.open()
		if later {
			if answer := answerTo(t, ws, helloWith(token("a"))); !strings.Contains(answer, `"user":"ada"`) {
				t.Fatal(answer)
			}
		}
		if err := ws.WriteMessage(websocket.TextMessage, []byte(helloWith(token("b")))); err != nil {
			t.Fatal(err)
		}
		_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
		if _, answer, err := ws.ReadMessage(); !websocket.IsCloseError(err, rpc.CloseTryLater) {
			t.Errorf("later %v: %s, %v", later, answer, err)
		}
	}
}

// A connector whose keys cannot be fetched waits for them, takes no clients, and
// says so. It can be stopped meanwhile.
func TestConnectorWaitsForKeys(t *testing.T) {
	t.Parallel()
	for _, stopEarly := range []bool{true, false} {
		waitForKeys(t, stopEarly)
	}
}

func waitForKeys(t *testing.T, stopEarly bool) {
	address, answers, _ := keySet(t)
	cfg := Config{Listen: "127.0.0.1:0"}
	cfg.Kafka.Brokers = []string{"127.0.0.1:1"} // which is not there
	withKeySet(address)(&cfg)
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	unready := func() string { return strings.Join(c.Health(ctx).Unready, "; ") }
	await.That(t, "it says why it waits", func() bool {
		return strings.Contains(unready(), "keys of tokens could not be fetched from "+strings.TrimPrefix(address, "http://")) && strings.Contains(unready(), "503")
	})
	if _, response, _ := websocket.DefaultDialer.Dial("ws://"+c.Addr().String()+"/ws", nil); response == nil || response.StatusCode != 503 {
		t.Errorf("an upgrade meanwhile: %v", response)
	}
	if !stopEarly {
		answers.Store(true)
		await.That(t, "it goes on", func() bool { return !c.AwaitsKeys() && !strings.Contains(unready(), "keys") })
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
