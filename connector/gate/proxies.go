package gate

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/internal/quote"
)

// ParseProxies reads networks (10.0.0.0/8) and single addresses.
func ParseProxies(list []string) (networks []netip.Prefix, err error) {
	for _, text := range list {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil {
				a = plain.Bare(a)
				p, err = a.Prefix(a.BitLen())
			}
		}
		if err != nil || p.Addr().Is4In6() {
			return nil, fmt.Errorf("--proxies: it takes networks of the form 10.0.0.0/8 or fd00::/8, or single addresses%s", quote.Not(list...))
		}
		networks = append(networks, p.Masked())
	}
	return networks, nil
}

// peer is the address at the other end of the request's connection; invalid
// where it has none.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain.Bare(at.Addr())
}

// among reports whether an address lies in one of the networks. Only the word
// of a peer among the proxies counts for whom it speaks.
func among(networks []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) })
}

// isForwarded reports whether a proxy passed the request on: its headers say
// so, or for whom it came, in any of the ways that proxies have.
func isForwarded(r *http.Request) bool {
	for name := range r.Header {
		switch name {
		case "Forwarded", "Via", "X-Real-Ip", "X-Proxyuser-Ip", "Cdn-Loop":
			return true
		}
		for _, start := range []string{"X-Forwarded", "X-Original-", "X-Envoy-"} {
			if strings.HasPrefix(name, start) {
				return true
			}
		}
		for _, end := range []string{"Client-Ip", "Connecting-Ip", "Connecting-Ipv6"} {
			if strings.HasSuffix(name, end) {
				return true
			}
		}
	}
	return false
}
