package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issuer makes tokens, as whoever knows the users does.
type issuer struct {
	key  *ecdsa.PrivateKey
	file string // its public key
}

func newIssuer(dir string) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	i := &issuer{key, filepath.Join(dir, "tokens.pem")}
	return i, os.WriteFile(i.file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600)
}

// forbidden is a channel that no token of an issuer allows.
const forbidden = "secret"

// token is one for a user of the rooms and halls, with some hours to live; a
// negative life makes one that has run out.
func (i *issuer) token(user string, life time.Duration) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": user, "iat": now.Add(-time.Hour).Unix(), "exp": now.Add(life).Unix(),
		"parley": map[string]any{"grants": []any{
			map[string]any{"channels": []string{"room-*", "hall-*"}, "allow": []string{"*"}},
			map[string]any{"channels": []string{"{user}:*"}, "allow": []string{"*"}},
		}},
	}).SignedString(i.key)
}

const tokenLife = 12 * time.Hour

// hello is the request with a fresh token.
func (i *issuer) hello(user string) (string, error) {
	token, err := i.token(user, tokenLife)
	return helloWith(token), err
}

func helloWith(token string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"token":"` + token + `"}}`
}
