package ws

import (
	"crypto/tls"
	"net/http"
	"testing"
)

// A Host leaves out the port that is usual: another one over TLS.
func TestHostOfARequest(t *testing.T) {
	for _, c := range []struct{ host, plain, secure string }{
		{"chat.example.com:3014", "chat.example.com:3014", "chat.example.com:3014"},
		{"chat.example.com", "chat.example.com:80", "chat.example.com:443"},
		{"[::1]", "[::1]:80", "[::1]:443"},
		{"[::1]:3014", "[::1]:3014", "[::1]:3014"},
	} {
		if got := hostOf(&http.Request{Host: c.host}); got != c.plain {
			t.Errorf("%s is %s; want %s", c.host, got, c.plain)
		}
		if got := hostOf(&http.Request{Host: c.host, TLS: &tls.ConnectionState{}}); got != c.secure {
			t.Errorf("%s over TLS is %s; want %s", c.host, got, c.secure)
		}
	}
}
