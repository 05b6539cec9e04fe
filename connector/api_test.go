package connector

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// Keys that are read again count at once, and a file that cannot be used changes
// nothing.
func TestKeysAreReadAgain(t *testing.T) {
	r := newAPIRig(t)
	status := func(key string) int {
		s, _ := r.send(t, http.MethodGet, "/v1/openapi.json", nil, withKey(key))
		return s
	}
	next, sum := api.NewKey()
	r.write(t, "next "+sum+` [{"channels": ["*"], "allow": ["api"]}]`)
	if r.keys.Reload(); status(next) != http.StatusOK || status(r.key) != http.StatusUnauthorized {
		t.Errorf("the new key is answered %d, the old one %d", status(next), status(r.key))
	}
	for _, text := range []string{"next", "next " + sum, "next " + sum + " []x", "ne xt " + sum + " []", "cli " + sum + " []", "local " + sum + " []", "next " + sum[1:] + " []", "next " + sum + "0 []", "a " + sum + " []\na " + sum + " []", "next " + strings.Repeat("z", 64) + " []", strings.Repeat("#", 2<<20)} {
		r.write(t, text)
		if r.keys.Reload(); status(next) != http.StatusOK {
			t.Errorf("after %.80q was read again the key is answered %d", text, status(next))
		}
	}
}

// A key may ask for so much a second, a broadcast counting for each of its channels,
// and nobody pays for another.
func TestRateOfKey(t *testing.T) {
	r := newAPIRig(t, func(cfg *Config) { cfg.API.Rate = 1 })
	denied := requestFor("publish", `{"channel":"else","user":"ada","body":"x"}`)
	batch := "[" + strings.TrimSuffix(strings.Repeat(denied+",", 100), ",") + "]"
	for range 9 {
		if status, _, text := r.rpc(t, batch); status != http.StatusOK {
			t.Fatalf("is answered %d %s", status, text)
		}
	}
	if _, a, text := r.rpc(t, requestFor("broadcast", `{"channels":[`+manyNames(500)+`],"user":"ada","body":"x"}`)); a.Error == nil || a.Error.Code != 1005 {
		t.Errorf("a broadcast above the rate is answered %.200s", text)
	}
	for n := 0; ; n++ { // one a second is allowed again
		status, _, text := r.rpc(t, batch)
		if status == http.StatusTooManyRequests && strings.Contains(text, `"code":1005`) {
			break
		}
		if status != http.StatusOK || n == 9 {
			t.Fatalf("above the rate is answered %d %s", status, text)
		}
	}
	if status, text := r.send(t, http.MethodPost, "/v1/rpc", strings.NewReader(batch), withKey(apiToken(t, nil))); status != http.StatusOK {
		t.Errorf("another one is answered %d %s", status, text)
	}
}

// A token that is revoked counts no more, and a connector that drains takes nothing.
func TestBackendIsTurnedAway(t *testing.T) {
	r := newAPIRig(t)
	token := withKey(apiToken(t, jwt.MapClaims{"jti": "t1"}))
	if status, text := r.send(t, http.MethodGet, "/v1/openapi.json", nil, token); status != http.StatusOK {
		t.Fatalf("is answered %d %s", status, text)
	}
	rule := rules.Rule{Kind: rules.RevokedToken, Name: "t1"}
	value, err := proto.Marshal(&schema.TokenRevocation{Time: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.rules.table.Apply(rule.Key(), value, time.Now()); err != nil {
		t.Fatal(err)
	}
	if status, text := r.send(t, http.MethodGet, "/v1/openapi.json", nil, token); status != http.StatusUnauthorized {
		t.Errorf("once it is revoked, the token is answered %d %s", status, text)
	}
	r.inc.draining.Store(true)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = withKey(r.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !res.Close {
		t.Errorf("while it drains, it answers %s with %v, and keeps the connection: %t", res.Status, res.Header, !res.Close)
	}
}

// An API that anybody could use, or whose keys anybody could read, does not start.
func TestUnsafeAPIIsRefused(t *testing.T) {
	keys, err := api.OpenKeys("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	local, far := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4(0, 0, 0, 0)}
	for name, c := range map[string]struct {
		cfg  Config
		want string // "": it starts
	}{
		"with keys":                   {Config{API: APIConfig{Addr: local, Keys: keys}}, ""},
		"without any":                 {Config{API: APIConfig{Addr: local}}, "--api-keys"},
		"beyond loopback":             {Config{API: APIConfig{Addr: far, Keys: keys}}, "--api-plaintext"},
		"encrypted by something else": {Config{API: APIConfig{Addr: far, Keys: keys, Plaintext: true}}, ""},
		"nothing to serve":            {Config{NoClients: true}, "--api"},
		"alone":                       {Config{NoClients: true, API: APIConfig{Addr: local, Keys: keys}}, ""},
		"tokens of nobody":            {Config{API: APIConfig{Addr: local, Audience: "x"}}, "--auth-key"},
		"tokens of users":             {Config{Auth: rigAuth("chat"), API: APIConfig{Addr: local, Audience: "chat"}}, "another name"},
		"tokens of anybody":           {Config{Auth: rigAuth(""), API: APIConfig{Addr: local, Audience: "api"}}, "another name"},
		"tokens for anything":         {Config{Auth: rigAuth("chat"), API: APIConfig{Addr: local, Audience: "none"}}, "is none"},
		"tokens of backends":          {Config{Auth: rigAuth("chat"), API: APIConfig{Addr: local, Audience: "api"}}, ""},
	} {
		switch err := Check(c.cfg, local); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want one that names %s", name, err, c.want)
		}
	}
}

func rigAuth(audience string) *identity.Auth {
	var cfg Config
	withAuth(&cfg)
	cfg.Auth.Audience = audience
	return cfg.Auth
}
