package gate

import (
	"bufio"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// Whatever the head of a request says, a connector that is open to its machine
// serves only what names it so, and a proxy's word counts only from a proxy.
func FuzzRequestHead(f *testing.F) {
	for _, head := range []string{
		"Host: localhost\r\nOrigin: http://localhost", "Host: [::1%25lo]:1", "Host: localhost\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1", "Host: localhost\r\nForwarded: for=\"[2001:db8::1]:443\";proto=https, for=_x",
		"Host: evil.example\r\nOrigin: null", "Host: a@localhost", "Host: localhost:\r\nForwarded: for=", "Host: 127.0.0.1.\r\nX-Forwarded-For: ::ffff:192.0.2.1",
	} {
		f.Add(head)
	}
	proxies, err := ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	local, err := New(Config{Origins: []string{"https://*.example.com"}, Proxies: proxies}, loopback)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, head string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /ws HTTP/1.1\r\n" + head + "\r\n\r\n")))
		if err != nil {
			return
		}
		r.RemoteAddr = "127.0.0.1:5"
		if local.Refuse(r) == "" {
			name, _, err := splitHost(r.Host)
			if a, bad := netip.ParseAddr(name); err != nil || name != "localhost" && (bad != nil || !a.IsLoopback()) {
				t.Errorf("%q is served", head)
			}
			if len(r.Header["Origin"]) > 1 || isForwarded(r) {
				t.Errorf("%q is served", head)
			}
		}
		r.RemoteAddr = "203.0.113.7:5"
		if a, _ := local.ClientAddress(r); a != netip.MustParseAddr("203.0.113.7") {
			t.Errorf("%q: a stranger is taken for %v", head, a)
		}
		r.RemoteAddr = "10.0.0.1:5"
		if a, untrusted := local.ClientAddress(r); untrusted.IsValid() || a.Is4In6() || a.Zone() != "" {
			t.Errorf("%q comes from %v, untrusted %v", head, a, untrusted)
		}
	})
}

// A configured origin matches itself, or is refused in one line.
func FuzzOrigins(f *testing.F) {
	for _, seed := range []string{"https://chat.example.com", "https://*.example.com:8443", "*", "http://[::1]:80", "chrome-extension://abc", "https://a..b", "https://bücher.example", "javascript://x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseOrigins([]string{text})
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		for _, o := range all.list {
			if o.host == "" || o.scheme == "" || all.allow("null", "x", false) || all.allow("https://evil.example", "x", false) && o.host != "evil.example" && o.host != "example" {
				t.Errorf("%q is read as %+v", text, o)
			}
		}
	})
}

func FuzzProxies(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8", "fd00::/8", "::ffff:10.0.0.1", "1.2.3.4", "10.0.0.0/33", "fe80::1%lo"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		networks, err := ParseProxies([]string{text})
		if err == nil && (len(networks) != 1 || !networks[0].IsValid() || networks[0] != networks[0].Masked() || networks[0].Addr().Is4In6()) {
			t.Errorf("%q is read as %v", text, networks)
		}
	})
}
