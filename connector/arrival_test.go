package connector

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/identity"
)

// The gate guards the page and WebSockets, as it is configured.
// Without a place in the log, 503 is the answer to whoever passes it.
func TestGateIsBeforeEverything(t *testing.T) {
	auth := &identity.Auth{Keys: []identity.Key{{Material: []byte(strings.Repeat("k", 32))}}, Algorithms: []string{"HS256"}}
	for _, c := range []struct {
		cfg                     Config
		host, origin, forwarded string
		refused                 string // a flag that the refusal names; "": it passes
	}{
		{Config{}, "localhost", "", "", ""},
		{Config{}, "box", "", "", "--hosts"},
		{Config{Hosts: []string{"box"}}, "box", "", "", ""},
		{Config{}, "localhost", "https://tool.example", "", "--origins"},
		{Config{Origins: []string{"https://tool.example"}}, "localhost", "https://tool.example", "", ""},
		{Config{}, "localhost", "", "203.0.113.7", "--proxies"},
		{Config{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, "localhost", "", "203.0.113.7", ""},
		{Config{Open: true}, "box", "", "203.0.113.7", ""},
		{Config{Auth: auth}, "box", "", "203.0.113.7", ""},
	} {
		cfg := c.cfg
		cfg.Listen = "127.0.0.1:0"
		cfg.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") })
		served, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer served.listener.Close()
		for path, want := range map[string]int{"/": http.StatusOK, "/ws": http.StatusServiceUnavailable} {
			if c.refused != "" {
				want = http.StatusForbidden
			}
			r := httptest.NewRequest(http.MethodGet, path, nil) // from 192.0.2.1
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			w := httptest.NewRecorder()
			served.server.ServeHTTP(w, r)
			if w.Code != want || !strings.Contains(w.Body.String(), c.refused) {
				t.Errorf("%s at %q from %q, forwarded for %q: %d %s, want %d and %q", path, c.host, c.origin, c.forwarded, w.Code, w.Body, want, c.refused)
			}
		}
	}
}

// What the gate refuses, a connector does not start with.
func TestConnectorNeedsAGate(t *testing.T) {
	for flag, cfg := range map[string]Config{
		"--open":    {Listen: "0.0.0.0:0"},
		"--hosts":   {Listen: "127.0.0.1:0", Hosts: []string{"http://box"}},
		"--origins": {Listen: "127.0.0.1:0", Origins: []string{"box"}},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
