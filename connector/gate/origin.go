package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/hostname"
	"github.com/parley-chat/parley/internal/quote"
)

// anyOrigin among the configured origins lets pages of every site connect,
// those without an origin of their own included.
const anyOrigin = "*"

// origin is where a page comes from, as browsers tell it (RFC 6454), in one
// form for all spellings of the same.
type origin struct {
	scheme, host string
	port         uint16 // 0: the scheme has no default, and none is given
	under        bool   // of a pattern: host matches every name below it
}

// origins are those that pages may come from besides the connector's own.
type origins struct {
	any  bool
	list []origin
}

// parseOrigins reads the configured origins: https://chat.example.com,
// https://*.example.com for every name below it, or * for all.
func parseOrigins(list []string) (all origins, err error) {
	for _, text := range list {
		text = strings.TrimSpace(text)
		if text == anyOrigin {
			all.any = true
			continue
		}
		o, err := configuredOrigin(text)
		if err != nil {
			return origins{}, fmt.Errorf("--origins: it takes origins of the form https://chat.example.com, https://*.example.com or *%s", quote.Not(list...))
		}
		all.list = append(all.list, o)
	}
	return all, nil
}

// pageless are schemes whose pages have no origin of that name: browsers send
// null, or the http of the page.
var pageless = []string{"javascript", "data", "blob", "file", "about", "ws", "wss", "ftp", "mailto"}

// configuredOrigin reads an origin, or the pattern of all below a name, into the
// form in which browsers send it.
func configuredOrigin(text string) (origin, error) {
	scheme, rest, found := strings.Cut(strings.TrimSuffix(text, "/"), "://")
	rest, under := strings.CutPrefix(rest, "*.")
	name := rest
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, ']') {
		name = rest[:at]
	}
	host, err := hostname.Canonical(name)
	if err != nil || !found || strings.Contains(host, ":") && !strings.HasPrefix(name, "[") {
		return origin{}, errors.New("not an origin of pages")
	}
	_, isAddress := netip.ParseAddr(host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	o, err := parseOrigin(scheme + "://" + host + rest[len(name):])
	if err != nil || slices.Contains(pageless, o.scheme) || under && isAddress == nil {
		return origin{}, errors.New("not an origin of pages")
	}
	o.under = under
	return o, nil
}

// parseOrigin reads one origin: scheme, host and port, nothing else.
func parseOrigin(text string) (origin, error) {
	u, err := url.Parse(text)
	if err != nil {
		return origin{}, fmt.Errorf("not an origin: %w", err)
	}
	name, port, err := splitHost(u.Host)
	if err != nil || u.Scheme == "" || !strings.EqualFold(text, u.Scheme+"://"+u.Host) {
		return origin{}, errors.New("not of the form scheme://host:port")
	}
	o := origin{scheme: u.Scheme, host: name, port: port}
	if o.port == 0 {
		o.port = defaultPort(o.scheme)
	}
	return o, nil
}

// splitHost splits host[:port], as the Host header and origins have it, into a
// host in its usual form and a port; 0 for none.
func splitHost(text string) (host string, port uint16, err error) {
	u := url.URL{Host: text}
	host = canonicalHost(u.Hostname())
	if host == "" || strings.HasSuffix(text, ":") || strings.ContainsFunc(text, notInHost) {
		return "", 0, errors.New("not of the form host:port")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, errors.New("not a port: it takes a number from 1 to 65535")
		}
		port = uint16(n)
	}
	return host, port, nil
}

// notInHost reports a character that browsers put into no Host and no Origin:
// names beyond ASCII are sent in punycode.
func notInHost(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("%/\\?#@<>\"^`{|}", r)
}

// canonicalHost is a host in small letters, without the dot that ends a full
// name, and an address in its shortest form.
func canonicalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return host
}

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// allow reports whether a page of an origin, as the header has it, may use a
// connector that it reached as host, over TLS of the connector's own or not.
func (all origins) allow(header, host string, secure bool) bool {
	if all.any {
		return true
	}
	o, err := parseOrigin(header)
	if err != nil {
		return false
	}
	if o.isOf(host, secure) {
		return true
	}
	for _, p := range all.list {
		if p.matches(o) {
			return true
		}
	}
	return false
}

// isOf reports whether a page of this origin was served under that Host. Where
// the connector terminates TLS itself its page is https alone: anybody on the way
// can make one of http. Else nothing is known of the scheme, as a proxy may have
// terminated TLS.
func (o origin) isOf(host string, secure bool) bool {
	name, port, err := splitHost(host)
	if err != nil || defaultPort(o.scheme) == 0 || secure && o.scheme != "https" {
		return false
	}
	if port == 0 {
		port = defaultPort(o.scheme)
	}
	return o.host == name && o.port == port
}

func (o origin) matches(given origin) bool {
	if o.scheme != given.scheme || o.port != given.port {
		return false
	}
	if o.under {
		return strings.HasSuffix(given.host, "."+o.host) && len(given.host) > len(o.host)+1
	}
	return o.host == given.host
}
