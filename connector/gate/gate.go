// Package gate decides from an HTTP request alone who may connect: by the
// names of this machine, the origins of pages, and the proxies that are trusted
// to say for whom they ask.
package gate

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/hostname"
	"github.com/parley-chat/parley/internal/quote"
)

// Who a connector without keys serves, and how that is changed.
const (
	beyondLoopback = "without authentication anybody could be any user: give --auth-key, --auth-secret or --auth-jwks, or --open to serve everybody"
	forwardedOpen  = "this connector has no authentication and serves its own machine alone, and a proxy has passed this request on: " +
		"give --auth-key, --auth-secret or --auth-jwks, --open to serve everybody, or name the proxy with --proxies"
	foreignHost   = "this connector has no authentication and serves its own machine alone, as localhost: name other hosts with --hosts"
	foreignOrigin = "pages of this origin may not connect: name it with --origins"
)

// Config says who may connect.
type Config struct {
	Authenticated bool     // users have tokens
	Open          bool     // everybody is served without authentication
	Hosts         []string // names of this machine besides localhost, where there is neither
	// Origins that pages may come from besides the connector's own host:
	// https://chat.example.com, https://*.example.com for the names below, or *.
	Origins []string
	Proxies []netip.Prefix // that may pass requests on, and say for whom
}

// Gate decides which requests are served at all. It never changes.
type Gate struct {
	local   bool // open to this machine alone
	proxies []netip.Prefix
	hosts   []string
	origins origins
}

// New checks who may connect to a connector that listens at an address.
func New(cfg Config, at net.Addr) (*Gate, error) {
	g := &Gate{proxies: cfg.Proxies}
	switch {
	case cfg.Authenticated && cfg.Open:
		return nil, errors.New("--open means no authentication, and there is a key: keep one")
	case cfg.Authenticated || cfg.Open:
	case !isLoopback(at):
		return nil, fmt.Errorf("the connector listens at %s, beyond this machine, and %s", at, beyondLoopback)
	default:
		g.local = true
	}
	for _, text := range cfg.Hosts {
		host, err := hostname.Canonical(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("--hosts: it takes names without a scheme and a port, such as box or chat.example.com%s", quote.Not(cfg.Hosts...))
		}
		g.hosts = append(g.hosts, host)
	}
	var err error
	g.origins, err = parseOrigins(cfg.Origins)
	return g, err
}

func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Refuse says why a request is not served; "" when it is.
func (g *Gate) Refuse(r *http.Request) string {
	if g.local && isForwarded(r) && !among(g.proxies, peer(r)) {
		return forwardedOpen
	}
	if g.local && !g.knows(r.Host) {
		return foreignHost
	}
	switch from := r.Header["Origin"]; {
	case len(from) == 1 && g.origins.allow(from[0], r.Host, r.TLS != nil):
	case len(from) > 0:
		return foreignOrigin
	}
	return ""
}

// knows reports whether a Host names this machine to itself. A name that
// somebody else's DNS resolves to a loopback address does not.
func (g *Gate) knows(host string) bool {
	name, _, err := splitHost(host)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && a.IsLoopback() || slices.Contains(g.hosts, name)
}
