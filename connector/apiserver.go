package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/roles"
)

const (
	apiRate  = 50_000 // requests a second of a key, where Config says nothing
	apiConns = 1024   // connections, where there are descriptors for them
	apiTurns = 64     // requests of backends that wait, and answers of them that are made, at once
)

// APIConfig is what the server API needs. The zero value means that there is none.
type APIConfig struct {
	// Listener is for backends alone, and owned by the connector; nil: no API.
	Listener net.Listener
	// Addr is where Listener will be, for Check.
	Addr net.Addr
	// Keys are what backends have; nil for none.
	Keys *api.KeysFile
	// Audience is that of the tokens that are taken from backends; "" for none. Config.Auth
	// says what verifies them, and has another audience.
	Audience string
	// Plaintext serves without TLS where the listener is beyond loopback, or there is a
	// certificate.
	Plaintext bool
	Rate      int // requests a second of a key, default 50,000; a negative number: any

	connections int // 0: as many as there may be
}

// checkAPI reports whether the API can be served.
func (cfg *Config) checkAPI() error {
	a := &cfg.API
	if a.Listener != nil {
		a.Addr = a.Listener.Addr()
	}
	if a.Addr == nil {
		if cfg.NoClients {
			return errors.New("--listen none means that there are no clients, and without --api there is nothing else to serve: give one of them an address")
		}
		return nil
	}
	if cfg.NoClients && cfg.Pomelo != nil {
		return errors.New("--listen none means that there are no clients: leave --pomelo out, or give --listen an address")
	}
	if a.Keys == nil && a.Audience == "" {
		return errors.New("--api needs to know who may use it: give --api-keys, a file whose lines `parley api-key` makes, or --api-audience")
	}
	if err := cfg.checkAudience(); err != nil {
		return err
	}
	tcp, ok := a.Addr.(*net.TCPAddr)
	if local := ok && tcp.IP.IsLoopback(); !local && cfg.Certificate == nil && !a.Plaintext {
		return fmt.Errorf("the API listens at %s, beyond this machine, where others could read its keys: give --tls-cert and --tls-key, or --api-plaintext where something else encrypts", a.Addr)
	}
	return nil
}

// checkAudience refuses an audience by which a token of a user could pass for that of a
// backend, or the other way around.
func (cfg *Config) checkAudience() error {
	switch {
	case cfg.API.Audience == "":
		return nil
	case cfg.Auth == nil:
		return errors.New("--api-audience takes tokens from backends, which takes --auth-key, --auth-secret or --auth-jwks to verify them")
	case cfg.API.Audience == identity.AnyAudience:
		return errors.New("--api-audience is none: it takes the name of an audience, which only tokens of backends have")
	case cfg.Auth.Audience == "" || cfg.Auth.Audience == identity.AnyAudience || cfg.Auth.Audience == cfg.API.Audience:
		return errors.New("--api-audience needs --auth-audience with another name: else users' tokens and those of backends could not be told apart")
	}
	return nil
}

// address is where clients connect to, or backends where there are no clients.
func (cfg *Config) address(clients net.Listener) net.Addr {
	switch {
	case clients != nil:
		return clients.Addr()
	case cfg.API.Listener != nil:
		return cfg.API.Listener.Addr()
	}
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

// setAPI makes the server of the API, where there is one.
func (c *Connector) setAPI() {
	a := &c.cfg.API
	c.turns = make(chan struct{}, apiTurns)
	if a.Listener == nil {
		return
	}
	cfg := api.Config{
		Host: backends{c}, Keys: a.Keys, Revoked: c.rules.revoked, Rate: max(0, cmp.Or(a.Rate, apiRate)), Connections: cmp.Or(a.connections, apiConns),
		Version: roles.Version(), OnAnswer: c.metrics.answeredHTTP, Logger: c.cfg.Logger,
	}
	if !a.Plaintext {
		cfg.TLS = c.cfg.tls()
	}
	if a.Audience != "" {
		auth := *c.cfg.Auth
		auth.Audience, auth.UserClaim, auth.Backend = a.Audience, "", true
		cfg.Tokens = identity.NewVerifier(auth, c.keys)
	}
	c.api = api.NewServer(cfg)
}

// APIAddr is the address of the API; nil: there is none.
func (c *Connector) APIAddr() net.Addr {
	if c.api == nil {
		return nil
	}
	return c.cfg.API.Listener.Addr()
}

// serveListeners serves clients and backends. ended is called when nobody can come any
// more; stop ends it, waits, and returns what was wrong.
func (c *Connector) serveListeners(ended context.CancelFunc) (stop func() error) {
	type server interface {
		Serve(net.Listener) error
		Close() error
	}
	var all []server
	failed := make(chan error, 3)
	serve := func(s server, l net.Listener, whom string) {
		all = append(all, s)
		go func() {
			defer ended()
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", whom, err)
				return
			}
			failed <- nil
		}()
	}
	if c.listener != nil {
		serve(c.server, c.listener, "clients")
	}
	if c.pomelo != nil {
		serve(c.pomelo.server, c.pomelo.listener, "clients of pomelo")
	}
	if c.api != nil {
		serve(c.api, c.cfg.API.Listener, "backends")
	}
	return func() (err error) {
		for _, s := range all {
			_ = s.Close()
		}
		for range all {
			err = errors.Join(err, <-failed)
		}
		return err
	}
}

// closeListeners closes what was opened to listen, where nothing is served.
func (c *Connector) closeListeners() {
	if c.listener != nil {
		_ = c.listener.Close()
	}
	c.pomelo.close()
	if c.cfg.API.Listener != nil {
		_ = c.cfg.API.Listener.Close()
	}
}
