package connector

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector/identity"
)

// BenchmarkHello is what hello takes over a socket, from the request to its
// answer, with a token that was not seen before; ping is what all requests take.
func BenchmarkHello(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	rig := newEdgeRig(b, func(cfg *Config) {
		cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: key.Public()}}, Algorithms: []string{"ES256"}, MaxAge: 24 * time.Hour}
		cfg.Limits.Rate, cfg.Edge.UserRate, cfg.Edge.ReadRate = -1, -1, -1
	})
	hellos := make([]string, 100)
	for i := range hellos {
		hellos[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"token":%q}}`, ecdsaToken(b, key, i))
	}
	ws := rig.open()
	ask := func(request string) {
		if answer := answerTo(b, ws, request); !strings.Contains(answer, `"result"`) {
			b.Fatal(answer)
		}
	}
	ask(hellos[0])
	b.Run("ES256", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			ask(hellos[i%len(hellos)])
		}
	})
	b.Run("ping", func(b *testing.B) {
		for b.Loop() {
			ask(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		}
	})
}

// ecdsaToken is one as issuers make them, the nth of ada.
func ecdsaToken(t testing.TB, key *ecdsa.PrivateKey, n int) string {
	t.Helper()
	now := time.Now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": "ada", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": fmt.Sprint(n), "iss": "https://issuer.example.com",
		"parley": map[string]any{
			"info": map[string]any{"name": "Ada", "avatar": "https://example.com/ada.png"},
			"grants": []any{
				map[string]any{"channels": []string{"lobby", "room-*"}, "allow": []string{"join", "history", "chat"}},
				map[string]any{"channels": []string{"{user}:*"}, "allow": []string{"*"}},
			},
		},
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
