package connector

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/parley-chat/parley/connector/gate"
	"github.com/parley-chat/parley/schema"
)

// Check reports whether New would accept what cfg says of clients for a
// connector that listens at an address. It opens nothing.
func Check(cfg Config, at net.Addr) error {
	if _, err := check(&cfg, at); err != nil || cfg.Pomelo == nil || cfg.Pomelo.Listener != nil {
		return err
	}
	second, err := net.ResolveTCPAddr("tcp", cfg.Pomelo.Listen)
	if err == nil {
		_, err = check(&cfg, second)
	}
	if err != nil {
		return fmt.Errorf("--pomelo: %w", err)
	}
	return nil
}

func check(cfg *Config, at net.Addr) (*gate.Gate, error) {
	if cfg.Limits.Body > schema.MaxBody {
		return nil, fmt.Errorf("a body of %d bytes is more than the log takes: the limit is at most %d", cfg.Limits.Body, schema.MaxBody)
	}
	if cfg.Limits.Data > schema.MaxData {
		return nil, fmt.Errorf("data of %d bytes is more than the log takes: the limit is at most %d", cfg.Limits.Data, schema.MaxData)
	}
	if err := checkTraces(cfg.Traces); err != nil {
		return nil, err
	}
	if cfg.Auth != nil {
		if err := cfg.Auth.Validate(); err != nil {
			return nil, err
		}
	}
	if err := cfg.checkAPI(); err != nil {
		return nil, err
	}
	return gate.New(gate.Config{
		Authenticated: cfg.Auth != nil, Open: cfg.Open, Hosts: cfg.Hosts, Origins: cfg.Origins, Proxies: cfg.Proxies,
	}, at)
}

// checkTraces refuses a pattern that no client could make a link of.
func checkTraces(pattern string) error {
	if pattern == "" {
		return nil
	}
	u, err := url.Parse(strings.ReplaceAll(pattern, "{trace}", "0"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !strings.Contains(pattern, "{trace}") {
		return errors.New("--traces: it takes the address of a trace, of the form https://traces.example.com/trace/{trace}")
	}
	return nil
}

// Access says in a few words how users are known.
func (c *Config) Access() string {
	access := "open to this machine"
	switch {
	case c.Auth != nil:
		access = "authenticated by tokens, " + strings.Join(c.Auth.Algorithms, " or ")
	case c.Open:
		access = "open to everybody"
	}
	if c.Certificate != nil {
		access += ", over TLS"
	}
	return access
}
