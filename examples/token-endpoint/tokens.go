package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// lifetime is how long a token is good for. The page fetches the next one
	// by itself, so short costs nothing: who is locked out of your site is out
	// of the chat this much later at the latest.
	lifetime = 10 * time.Minute
	// audience is what connectors are started with: --auth-audience parley.
	audience = "parley"
)

// issuer signs tokens.
type issuer struct {
	key    crypto.Signer
	method jwt.SigningMethod
}

// loadIssuer reads the private key.
func loadIssuer(path string) (*issuer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("-key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("-key: %s holds no PRIVATE KEY in PEM: make one with `openssl genpkey`, as the README says", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("-key: %s: %w", path, err)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return &issuer{key, jwt.SigningMethodES256}, nil
		}
	case ed25519.PrivateKey:
		return &issuer{key, jwt.SigningMethodEdDSA}, nil
	}
	return nil, errors.New("-key: the key is neither on P-256 nor an Ed25519 one")
}

// grant is channels, and what a user may do in them.
type grant struct {
	Channels []string `json:"channels"`
	Allow    []string `json:"allow"`
}

// member is what people may do in a channel. "private" is missing on purpose:
// private messages of strangers are a tool of harassment.
var member = []string{"join", "history", "chat", "edit", "react", "signal"}

// session is the token that a user's session in the chat begins with: who they
// are, what others see of them, and what they may do where.
func (i *issuer) session(user string, now time.Time) (string, error) {
	return i.sign(user, now, jwt.MapClaims{"parley": map[string]any{
		"info": map[string]string{"name": users[user].name},
		"grants": []grant{
			{Channels: []string{"lobby", "room-*"}, Allow: member},
			{Channels: []string{"inbox:{user}"}, Allow: []string{"join", "history"}},
		},
	}})
}

// channel is the token that lets a user join one more channel.
func (i *issuer) channel(user, channel string, now time.Time) (string, error) {
	return i.sign(user, now, jwt.MapClaims{"channel": channel, "allow": member})
}

// sign adds what every token needs. The jti makes it possible to revoke this one.
func (i *issuer) sign(user string, now time.Time, claims jwt.MapClaims) (string, error) {
	claims["sub"], claims["aud"], claims["jti"] = user, audience, rand.Text()
	claims["iat"], claims["exp"] = now.Unix(), now.Add(lifetime).Unix()
	return jwt.NewWithClaims(i.method, claims).SignedString(i.key)
}
