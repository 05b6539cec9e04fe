package cli

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of the admin server: a probe and a scrape take milliseconds.
const (
	adminHead        = 5 * time.Second  // for a request's head
	adminRequest     = 10 * time.Second // for all of a request: none has a body that we read
	adminAnswer      = 30 * time.Second // for the answer to be made and taken
	adminIdle        = 2 * time.Minute  // between two requests: Prometheus asks every 15 to 60 s
	adminHeadBytes   = 8 << 10
	adminConnections = 64
)

// newAdminServer serves health and metrics at an address. On loopback it answers
// to this machine's own names alone: a page whose name was made to resolve to
// 127.0.0.1 reads nothing. Beyond it every name will do, as whoever scrapes has
// one of his own.
func newAdminServer(handler http.Handler, at net.Addr) *http.Server {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		handler = toLocalNames(handler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: adminHead,
		ReadTimeout:       adminRequest,
		WriteTimeout:      adminAnswer,
		IdleTimeout:       adminIdle,
		MaxHeaderBytes:    adminHeadBytes,
		ConnState:         (&newest{most: adminConnections}).state,
	}
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

// newest keeps the newest connections and closes the oldest beyond the most
// that there may be, so that whoever holds many keeps no probe out. Safe for
// concurrent use.
type newest struct {
	most int

	mu  sync.Mutex
	all []net.Conn // the oldest first
}

// state is told by the server what becomes of a connection.
func (n *newest) state(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if oldest := n.add(c); oldest != nil {
			_ = oldest.Close()
		}
	case http.StateClosed, http.StateHijacked:
		n.remove(c)
	}
}

// add returns the connection that has to go, or nil.
func (n *newest) add(c net.Conn) (oldest net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, c)
	if len(n.all) > n.most {
		oldest = n.all[0]
		n.all = slices.Delete(n.all, 0, 1)
	}
	return oldest
}

func (n *newest) remove(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i := slices.Index(n.all, c); i >= 0 {
		n.all = slices.Delete(n.all, i, i+1)
	}
}
