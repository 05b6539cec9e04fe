package cli

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/plain"
)

// adminBounds are those of the admin server: a probe and a scrape take
// milliseconds, and Prometheus asks every 15 to 60 s.
var adminBounds = plain.Bounds{
	Head: 5 * time.Second, Request: 10 * time.Second, Answer: 30 * time.Second, Idle: 2 * time.Minute,
	HeadBytes: 12 << 10, Connections: 64,
}

// newAdminServer serves health and metrics at an address. On loopback it answers
// to this machine's own names alone: a page whose name was made to resolve to
// 127.0.0.1 reads nothing. Beyond it any name will do, as every scraper uses
// its own.
func newAdminServer(handler http.Handler, at net.Addr) *plain.Server {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		handler = toLocalNames(handler)
	}
	return plain.NewServer(handler, adminBounds)
}

func toLocalNames(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocalName(r.Host) {
			http.Error(w, "health is served to this machine alone: ask for localhost, or choose another address with --admin", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// isLocalName reports whether a Host, with a port or without, is localhost or a
// loopback address.
func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
