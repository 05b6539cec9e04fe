package gate

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// gated serves what a gate lets pass at a socket of its own.
func gated(t *testing.T, cfg Config) (at string) {
	t.Helper()
	g, err := New(cfg, loopback)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := g.Refuse(r); why != "" {
			http.Error(w, why, http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// ask sends one request as it is written, with \n for CRLF, and returns the
// answer's status and text.
func ask(t *testing.T, at, request string) (status int, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

const upgrade = "\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="

// A web page somewhere reaches a connector on this machine in two ways: from
// its own origin, or under a name of its own that its DNS points here.
func TestOpenConnectorServesThisMachineAlone(t *testing.T) {
	at := gated(t, Config{Hosts: []string{"Box.example.", " dev"}, Origins: []string{"https://Tool.Example/"}, Proxies: mustProxies(t, "10.0.0.0/8")})
	_, port, _ := net.SplitHostPort(at)
	for _, c := range []struct {
		head string // after the request line
		ok   bool
	}{
		{"Host: localhost", true},
		{"Host: localhost:PORT", true},
		{"Host: LocalHost.:PORT", true},
		{"Host: 127.0.0.1:PORT", true},
		{"Host: 127.9.9.9", true},
		{"Host: [::1]:PORT", true},
		{"Host: [::1]", true},
		{"Host: [0:0:0:0:0:0:0:1]:PORT", true},
		{"Host: [::ffff:127.0.0.1]:PORT", true},
		{"Host: box.example:PORT", true},
		{"Host: BOX.EXAMPLE", true},
		{"Host: dev", true},
		{"Host: evil.example:PORT", false},
		{"Host: localhost.evil.example", false},
		{"Host: evil.localhost", false},
		{"Host: localhost..", false},
		{"Host: localhost:", false},
		{"Host: localhost:99999", false},
		{"Host: localhost@evil.example", false},
		{"Host: evil.example@localhost", false},
		{"Host: notbox.example", false},
		{"Host: 0.0.0.0:PORT", false},
		{"Host: [::]:PORT", false},
		{"Host: 2130706433", false},
		{"Host: 0x7f.1", false},
		{"Host: 127.1", false},
		{"Host: 0177.0.0.1", false},
		{"Host: ::1", false},
		{"Host: [::1%25lo]", false},
		{"Host: 192.168.1.7:PORT", false},
		{"Host: [::ffff:192.168.1.7]", false},
		{"Host: 127.0.0.1.nip.io", false},
		{"Host: ", false},
		{"Host: localhost\nOrigin: http://localhost", true},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT", true},
		{"Host: LOCALHOST.:PORT\nOrigin: HTTP://localhost:PORT", true},
		{"Host: [::1]:PORT\nOrigin: http://[::1]:PORT", true},
		{"Host: box.example\nOrigin: https://box.example", true},
		{"Host: localhost:PORT\nOrigin: https://tool.example", true},
		{"Host: localhost:PORT\nOrigin: https://tool.example:443", true},
		{"Host: localhost:PORT\nOrigin: http://tool.example", false},
		{"Host: localhost:PORT\nOrigin: https://tool.example:8443", false},
		{"Host: localhost:PORT\nOrigin: https://tool.example.evil", false},
		{"Host: localhost:PORT\nOrigin: https://eviltool.example", false},
		{"Host: localhost:PORT\nOrigin: http://localhost", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:1", false},
		{"Host: localhost:PORT\nOrigin: http://127.0.0.1:PORT", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT/", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT@evil.example", false},
		{"Host: localhost:PORT\nOrigin: http://evil.example@localhost:PORT", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT.evil.example", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT?evil", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT#evil", false},
		{"Host: localhost:PORT\nOrigin: http://loc%61lhost:PORT", false},
		{"Host: localhost:PORT\nOrigin: //localhost:PORT", false},
		{"Host: localhost:PORT\nOrigin: localhost:PORT", false},
		{"Host: localhost:PORT\nOrigin: ftp://localhost:PORT", false},
		{"Host: localhost:PORT\nOrigin: null", false},
		{"Host: localhost:PORT\nOrigin: ", false},
		{"Host: localhost:PORT\nOrigin: http://evil.example", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT http://evil.example", false},
		{"Host: localhost:PORT\nOrigin: http://localhost:PORT\nOrigin: http://evil.example", false},
		{"Host: localhost\nX-Forwarded-For: 127.0.0.1", false},
		{"Host: localhost\nx-forwarded-host: localhost", false},
		{"Host: localhost\nX-Forwarded-Proto: ", false},
		{"Host: localhost\nForwarded: for=127.0.0.1", false},
		{"Host: localhost\nX-Forwarded: 127.0.0.1", false},
		{"Host: localhost\nVia: 1.1 proxy", false},
		{"Host: localhost\nX-Real-IP: 203.0.113.7", false},
		{"Host: localhost\nX-Client-IP: 203.0.113.7", false},
		{"Host: localhost\nX-Cluster-Client-IP: 203.0.113.7", false},
		{"Host: localhost\nTrue-Client-IP: 203.0.113.7", false},
		{"Host: localhost\nCF-Connecting-IP: 203.0.113.7", false},
		{"Host: localhost\nCDN-Loop: cdn", false},
		{"Host: localhost\nX-Original-Forwarded-For: 203.0.113.7", false},
		{"Host: localhost\nX-Envoy-External-Address: 203.0.113.7", false},
		{"Host: localhost\nX-Forward: 1", true},
	} {
		head := strings.ReplaceAll(c.head, "PORT", port)
		want := http.StatusOK
		if !c.ok {
			want = http.StatusForbidden
		}
		if got, text := ask(t, at, "GET /ws HTTP/1.1\n"+head+upgrade); got != want && (c.ok || got != http.StatusBadRequest) {
			t.Errorf("%q is answered %d %s", head, got, text)
		}
	}
	for request, want := range map[string]int{
		"GET / HTTP/1.0": http.StatusForbidden,
		"GET / HTTP/1.1": http.StatusBadRequest,
		"GET http://evil.example/ HTTP/1.1\nHost: localhost":        http.StatusForbidden,
		"GET http://localhost/ HTTP/1.1\nHost: localhost":           http.StatusOK,
		"GET / HTTP/1.1\nHost: localhost\nHost: evil.example":       http.StatusBadRequest,
		"OPTIONS / HTTP/1.1\nHost: localhost\nOrigin: http://evil":  http.StatusForbidden,
		"POST /ws HTTP/1.1\nHost: evil.example":                     http.StatusForbidden,
		"GET /ws HTTP/1.1\nHost: localhost\nX-Forwarded-For: \t1.2": http.StatusForbidden,
	} {
		if got, text := ask(t, at, request); got != want {
			t.Errorf("%q is answered %d %s, want %d", request, got, text, want)
		}
	}
	if _, text := ask(t, at, "GET / HTTP/1.1\nHost: localhost\nForwarded: for=_a"); !strings.Contains(text, "--open") || !strings.Contains(text, "--proxies") {
		t.Errorf("whoever runs it learns %q", text)
	}
}

func mustProxies(t *testing.T, list ...string) (networks []netip.Prefix) {
	t.Helper()
	networks, err := ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return networks
}

// A proxy that is named may pass requests on; the rule of the host stays.
func TestNamedProxiesPassOn(t *testing.T) {
	for _, network := range []string{"127.0.0.1", "127.0.0.1/32", "127.0.0.0/8", "::ffff:127.0.0.1"} {
		at := gated(t, Config{Proxies: mustProxies(t, "fd00::/8", network)})
		for head, want := range map[string]int{
			"Host: localhost\nX-Forwarded-For: 203.0.113.7, 127.0.0.1":                     http.StatusOK,
			"Host: localhost\nForwarded: for=203.0.113.7":                                  http.StatusOK,
			"Host: chat.example\nX-Forwarded-For: 203.0.113.7":                             http.StatusForbidden,
			"Host: localhost\nX-Forwarded-Host: evil.example\nOrigin: http://evil.example": http.StatusForbidden,
		} {
			if got, text := ask(t, at, "GET / HTTP/1.1\n"+head); got != want {
				t.Errorf("%s: %q is answered %d %s, want %d", network, head, got, text, want)
			}
		}
	}
	for _, bad := range []string{"", "nginx", "10.0.0.0/33", "10.0.0.0/", "::ffff:10.0.0.0/104", "10.0.0.1:80", "*"} {
		if networks, err := ParseProxies([]string{bad}); err == nil {
			t.Errorf("%q is taken as %v", bad, networks)
		}
	}
}

// With authentication, and with --open, any host is served, and pages of the
// connector's own.
func TestPublicConnectorChecksOrigins(t *testing.T) {
	for name, cfg := range map[string]Config{"authenticated": {Authenticated: true}, "open": {Open: true}} {
		own, listed, all := cfg, cfg, cfg
		listed.Origins = []string{"https://*.example.com", "http://*.dev.test:8080", "https://chat.example.net:443", "chrome-extension://abcdef"}
		all.Origins = []string{"*"}
		for _, c := range []struct {
			cfg    Config
			origin string
			ok     bool
		}{
			{own, "https://chat.example", true},
			{own, "http://chat.example", true},
			{own, "https://chat.example:8443", false},
			{own, "https://evil.example", false},
			{own, "https://sub.chat.example", false},
			{own, "null", false},
			{listed, "https://chat.example", true},
			{listed, "https://a.example.com", true},
			{listed, "https://a.b.example.com", true},
			{listed, "https://A.Example.com", true},
			{listed, "https://example.com", false},
			{listed, "https://.example.com", false},
			{listed, "https://evilexample.com", false},
			{listed, "https://a.example.com.evil.net", false},
			{listed, "https://a.example.com:444", false},
			{listed, "http://a.example.com", false},
			{listed, "http://a.dev.test:8080", true},
			{listed, "http://a.dev.test", false},
			{listed, "https://chat.example.net", true},
			{listed, "chrome-extension://abcdef", true},
			{listed, "chrome-extension://abcdeg", false},
			{listed, "null", false},
			{all, "https://evil.example", true},
			{all, "null", true},
		} {
			at := gated(t, c.cfg)
			want := http.StatusOK
			if !c.ok {
				want = http.StatusForbidden
			}
			request := "GET /ws HTTP/1.1\nHost: chat.example\nX-Forwarded-For: 203.0.113.7\nOrigin: " + c.origin + upgrade
			if got, text := ask(t, at, request); got != want {
				t.Errorf("%s, %s with %v: %d %s", name, c.origin, c.cfg.Origins, got, text)
			}
		}
	}
}

// Where the connector terminates TLS itself, a page of plain HTTP is not its own:
// anybody on the way can make one.
func TestOriginsOverTLS(t *testing.T) {
	for name, c := range map[string]struct {
		cfg          Config
		host, origin string
		ok           bool
	}{
		"own":                  {Config{Authenticated: true}, "chat.example", "https://chat.example", true},
		"own, with its port":   {Config{Authenticated: true}, "chat.example:8443", "https://chat.example:8443", true},
		"plain":                {Config{Authenticated: true}, "chat.example", "http://chat.example", false},
		"plain, with a port":   {Config{Authenticated: true}, "chat.example:8443", "http://chat.example:8443", false},
		"plain, to TLS's port": {Config{Authenticated: true}, "chat.example:443", "http://chat.example:443", false},
		"plain, on loopback":   {Config{}, "localhost:8443", "http://localhost:8443", false},
		"own, on loopback":     {Config{}, "localhost:8443", "https://localhost:8443", true},
		"plain, named":         {Config{Open: true, Origins: []string{"http://chat.example"}}, "chat.example", "http://chat.example", true},
		"foreign, on loopback": {Config{}, "localhost:8443", "https://evil.example:8443", false},
		"rebound, on loopback": {Config{}, "evil.example:8443", "https://evil.example:8443", false},
	} {
		g, err := New(c.cfg, loopback)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "https://"+c.host+"/ws", nil)
		r.Header.Set("Origin", c.origin)
		if why := g.Refuse(r); (why == "") != c.ok {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// What could never match is refused when it is given.
func TestOriginsAndHostsAreChecked(t *testing.T) {
	for _, bad := range []string{
		"", "chat.example", "https://", "https://chat.example/path", "https://u@chat.example", "https://chat.example?a", "https://*", "https://*.",
		"https://a*.example", "https://a.*.example", "https://*.127.0.0.1", "https://*.[::1]", "null", "https://chat.example:0", "https://chat.example:x", "*.example.com", "https://a b",
		"https://a..b", "https://-", "https://..", "https://1.2.3", "https://::1", "https://[::1", "https://a,b", "https://chat.example:", "https://chat.example:-1",
		"javascript://x", "data://x", "file://x", "wss://chat.example", "://chat.example", "1http://chat.example",
	} {
		if _, err := New(Config{Origins: []string{bad}}, loopback); err == nil || !strings.Contains(err.Error(), "--origins: it takes") {
			t.Errorf("the origin %q: %v", bad, err)
		}
	}
	for _, bad := range []string{"", "http://box", "box:8080", "a b", "box/", "*", "*.example.com", "[", "a,b", "-", "..", "a..b", "1.2.3"} {
		if _, err := New(Config{Hosts: []string{bad}}, loopback); err == nil || !strings.Contains(err.Error(), "--hosts: it takes") {
			t.Errorf("the host %q: %v", bad, err)
		}
	}
}

// What is written in another way than browsers send it is read as they do.
func TestOriginsAreReadAsBrowsersSendThem(t *testing.T) {
	for given, sent := range map[string]string{
		"HTTPS://Chat.Example./": "https://chat.example", "https://bücher.example": "https://xn--bcher-kva.example",
		"https://*.bücher.example:8443": "https://a.xn--bcher-kva.example:8443", "http://[0::1]:80": "http://[::1]", "capacitor://localhost": "capacitor://localhost",
	} {
		all, err := parseOrigins([]string{given})
		if err != nil || !all.allow(sent, "other.example", false) || all.allow("https://evil.example", "other.example", false) {
			t.Errorf("%s does not stand for %s: %+v, %v", given, sent, all, err)
		}
	}
}

// Without keys nobody beyond this machine is served by accident.
func TestOpenBeyondLoopbackIsADecision(t *testing.T) {
	for _, listen := range []net.Addr{&net.TCPAddr{IP: net.IPv4zero}, &net.TCPAddr{}, &net.TCPAddr{IP: net.IPv6zero}, &net.UnixAddr{}} {
		if _, err := New(Config{}, listen); err == nil || !strings.Contains(err.Error(), "--open") {
			t.Errorf("it listens at %s: %v", listen, err)
		}
		for _, cfg := range []Config{{Open: true}, {Authenticated: true}} {
			if _, err := New(cfg, listen); err != nil {
				t.Errorf("it listens at %s with %+v: %v", listen, cfg, err)
			}
		}
	}
	if _, err := New(Config{Open: true, Authenticated: true}, loopback); err == nil {
		t.Error("it takes --open with a key")
	}
}

// Whom a request is from is what the nearest trusted proxy says. Nobody knows
// where that proxy names nobody, or where it is not among those that are trusted.
func TestClientAddress(t *testing.T) {
	g, err := New(Config{Authenticated: true, Proxies: mustProxies(t, "10.0.0.0/8")}, loopback)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, header, value, address, untrusted string }{
		{"203.0.113.7:5", "", "", "203.0.113.7", ""},
		{"203.0.113.7:5", "X-Forwarded-For", "192.0.2.1", "203.0.113.7", ""}, // a stranger's word
		{"192.168.0.1:5", "", "", "192.168.0.1", ""},
		{"192.168.0.1:5", "Via", "1.1 proxy", "", "192.168.0.1"},
		{"127.0.0.1:5", "Forwarded", "for=192.0.2.1", "", "127.0.0.1"},
		{"10.0.0.1:5", "X-Forwarded-For", "192.0.2.1", "192.0.2.1", ""},
		{"10.0.0.1:5", "X-Forwarded-For", "198.51.100.9, 192.0.2.1, 10.0.0.2", "192.0.2.1", ""},
		{"10.0.0.1:5", "X-Forwarded-For", "192.0.2.1, unknown", "", ""},
		{"10.0.0.1:5", "Forwarded", `for="[2001:db8::1]:443";proto=https`, "2001:db8::1", ""},
		{"[::ffff:10.0.0.1]:5", "X-Forwarded-For", "::ffff:192.0.2.1", "192.0.2.1", ""},
		{"10.0.0.1:5", "", "", "", ""},
		{"@", "", "", "", ""},
	} {
		r := &http.Request{RemoteAddr: c.from, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set(c.header, c.value)
		}
		address, untrusted := g.ClientAddress(r)
		if want, _ := netip.ParseAddr(c.address); address != want {
			t.Errorf("%s with %s %q comes from %v, want %v", c.from, c.header, c.value, address, want)
		}
		if want, _ := netip.ParseAddr(c.untrusted); untrusted != want {
			t.Errorf("%s with %s %q: not trusted is %v, want %v", c.from, c.header, c.value, untrusted, want)
		}
	}
}
