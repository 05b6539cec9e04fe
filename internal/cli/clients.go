package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema/rpc"
)

// clientFlags say who may connect and what clients may do.
type clientFlags struct {
	AuthKey        string        `placeholder:"FILE" help:"Key that tokens are verified with: a PEM public key, or a secret for HS256. Default: no authentication, users are who they say they are."`
	AuthAlgorithms []string      `placeholder:"ALG,..." help:"Algorithms of tokens that are accepted. Default: by the kind of key EdDSA, ES256, RS256 or HS256."`
	AuthAudience   string        `placeholder:"NAME" help:"Audience that tokens must name. Default: any."`
	Origins        []string      `placeholder:"URL,..." help:"Origins that browsers may come from. Default: any."`
	MaxConnections int           `default:"100000" placeholder:"N" help:"Connections at once. Default: ${default}."`
	MaxChannels    int           `default:"128" placeholder:"N" help:"Channels that a session may join. Default: ${default}."`
	MaxBody        int           `default:"4096" placeholder:"BYTES" help:"Size of a message. Default: ${default}."`
	MaxQueued      int           `default:"268435456" placeholder:"BYTES" help:"What may wait for all clients together to read it; beyond it the longest queue is closed as a slow consumer. Default: ${default}."`
	Rate           int           `default:"0" placeholder:"N" help:"Requests a second and session; -1 for no limit. Default: 100, none when listening on loopback."`
	PingEvery      time.Duration `default:"25s" placeholder:"TIME" help:"Time between the server's pings. Default: ${default}."`
	PongTimeout    time.Duration `default:"8s" placeholder:"TIME" help:"Time for a client's pong. Default: ${default}."`
	DrainDelay     time.Duration `default:"0s" placeholder:"TIME" help:"Time from a stop, when /readyz says so, until new connections are refused: as long as load balancers take to note it. Default: ${default}."`
	Drain          time.Duration `default:"0s" placeholder:"TIME" help:"Time over which a stop closes connections. Default: ${default}, all at once."`
	Traces         string        `placeholder:"URL" help:"Where clients find a trace: a URL with {trace} in it."`
}

// Validate implements kong's check of values.
func (f *clientFlags) Validate() error {
	for flag, n := range map[string]int{"--max-connections": f.MaxConnections, "--max-channels": f.MaxChannels, "--max-body": f.MaxBody, "--max-queued": f.MaxQueued} {
		if n < 1 {
			return fmt.Errorf("%s is %d: it takes a number from 1 on", flag, n)
		}
	}
	for flag, d := range map[string]time.Duration{"--ping-every": f.PingEvery, "--pong-timeout": f.PongTimeout} {
		if d <= 0 {
			return fmt.Errorf("%s is %v: it takes a time above 0", flag, d)
		}
	}
	for flag, d := range map[string]time.Duration{"--drain": f.Drain, "--drain-delay": f.DrainDelay} {
		if d < 0 {
			return fmt.Errorf("%s is %v: it takes a time from 0 on", flag, d)
		}
	}
	return nil
}

// config is the part of a connector's configuration that these flags say.
func (f *clientFlags) config() (connector.Config, error) {
	auth, err := f.auth()
	if err != nil {
		return connector.Config{}, err
	}
	return connector.Config{
		Auth: auth, Origins: f.Origins, MaxConnections: f.MaxConnections, MaxQueued: f.MaxQueued,
		Limits:    rpc.Limits{Channels: f.MaxChannels, Body: f.MaxBody, Rate: f.Rate},
		PingEvery: f.PingEvery, PongTimeout: f.PongTimeout, Traces: f.Traces,
		DrainDelay: f.DrainDelay, Drain: f.Drain,
	}, nil
}

// minSecret is the least length of a secret that RFC 7518 allows for HS256.
const minSecret = 32

func (f *clientFlags) auth() (*connector.Auth, error) {
	if f.AuthKey == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.AuthKey)
	if err != nil {
		return nil, fmt.Errorf("--auth-key cannot be read: %w", err)
	}
	key, algorithm, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("--auth-key %s: %w", f.AuthKey, err)
	}
	algorithms := f.AuthAlgorithms
	if len(algorithms) == 0 {
		algorithms = []string{algorithm}
	}
	return &connector.Auth{Key: key, Algorithms: algorithms, Audience: f.AuthAudience}, nil
}

// parseKey returns a key and the algorithm that it is commonly used with.
func parseKey(text []byte) (key any, algorithm string, err error) {
	block, _ := pem.Decode(text)
	if block == nil {
		secret := bytes.TrimSpace(text)
		if len(secret) < minSecret {
			return nil, "", fmt.Errorf("a secret of %d bytes is too short: it takes %d or more", len(secret), minSecret)
		}
		return secret, "HS256", nil
	}
	key, err = x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, "", fmt.Errorf("it is PEM, but no public key: %w", err)
	}
	switch key.(type) {
	case ed25519.PublicKey:
		return key, "EdDSA", nil
	case *ecdsa.PublicKey:
		return key, "ES256", nil
	case *rsa.PublicKey:
		return key, "RS256", nil
	}
	return nil, "", fmt.Errorf("a key of kind %T is not supported: use Ed25519, ECDSA, RSA or a secret", key)
}
