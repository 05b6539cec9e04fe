package gate

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/parley-chat/parley/internal/plain"
)

// ClientAddress is where a request comes from: the peer, or what a proxy that
// we trust reports. It is invalid where nobody can tell: a trusted proxy that names
// nobody, or, named by the second result, one of the same network that is not
// among those that we trust.
func (g *Gate) ClientAddress(r *http.Request) (address, untrusted netip.Addr) {
	from := peer(r)
	if !among(g.proxies, from) {
		if isForwarded(r) && (from.IsPrivate() || from.IsLoopback()) {
			return netip.Addr{}, from
		}
		return from, netip.Addr{}
	}
	// The nearest one that is not a proxy of ours: what comes before it may be
	// anybody's invention.
	hops := forwardedFor(r)
	for i := len(hops) - 1; i >= 0; i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		if address = hop; !among(g.proxies, hop) {
			break
		}
	}
	return address, netip.Addr{}
}

// Peer is who a connection without a request comes from: invalid, as nobody can
// tell, where that is a proxy that we trust.
func (g *Gate) Peer(from netip.Addr) netip.Addr {
	if among(g.proxies, from) {
		return netip.Addr{}
	}
	return from
}

// forwardedFor lists the hops that the request names, the client first.
func forwardedFor(r *http.Request) (hops []string) {
	for _, line := range r.Header.Values("X-Forwarded-For") {
		hops = append(hops, strings.Split(line, ",")...)
	}
	if len(hops) > 0 {
		return hops
	}
	for _, line := range r.Header.Values("Forwarded") { // RFC 7239
		for _, element := range strings.Split(line, ",") {
			for _, pair := range strings.Split(element, ";") {
				if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(name, "for") {
					hops = append(hops, value)
				}
			}
		}
	}
	return hops
}

// parseHop reads an address, which may be quoted, in brackets, and have a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.Trim(strings.TrimSpace(hop), `"`)
	if at, err := netip.ParseAddrPort(hop); err == nil {
		return plain.Bare(at.Addr()), true
	}
	a, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return plain.Bare(a), err == nil
}
