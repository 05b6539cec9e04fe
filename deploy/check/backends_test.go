package check

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// backends is the API of two connectors behind nginx, with HTTPS, as in compose.
type backends struct {
	t       *testing.T
	at      string // https://localhost:8444
	key, ca string // files
}

func startBackends(t *testing.T) (b *backends, connectors map[string]*process) {
	t.Helper()
	secrets := chosen["PARLEY_SECRETS"]
	behind, first, second := startRoles(t, "--api", "127.0.0.1:0", "--api-keys", secrets+"/api-keys")
	run, at := t.TempDir(), freeAddr(t)
	api := func(connector string) string {
		return behind.connectors[connector].find(`the API listens" address=(\S+)`)
	}
	values := map[string]string{
		"PARLEY_LB_RUN": run, "PARLEY_LB_CONNECTOR_1": first, "PARLEY_LB_CONNECTOR_2": second, "PARLEY_LB_API_LISTEN": at,
		"PARLEY_LB_API_1": api(first), "PARLEY_LB_API_2": api(second), "PARLEY_LB_CERT": secrets + "/tls.crt", "PARLEY_LB_KEY": secrets + "/tls.key",
	}
	fillIn(t, apiTemplate, filepath.Join(run, "api.conf"), values)
	startNginx(t, values, nginxTemplate)
	return &backends{t, "https://" + strings.Replace(at, "127.0.0.1", "localhost", 1), secrets + "/api.key", secrets + "/tls.crt"}, behind.connectors
}

// admin runs a command of operators, and returns what it prints.
func (b *backends) admin(args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(append([]string{"admin"}, args...), "--api", b.at, "--api-key-file", b.key, "--api-ca", b.ca)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.t.Fatalf("parley admin %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Backends reach the API through nginx, with the key that is made for them, and go on
// when a connector is killed; what is too long or not of the API nginx refuses.
func TestBalancerOfBackends(t *testing.T) {
	b, connectors := startBackends(t)
	for i := range 4 {
		b.admin("publish", "lobby", "ada", fmt.Sprint(i))
	}
	for at, p := range connectors {
		p.end(syscall.SIGKILL)
		delete(connectors, at)
		break
	}
	for i := range 6 { // each a connection of its own
		b.admin("publish", "lobby", "ada", fmt.Sprint(4+i), "--wait", "0s")
	}
	out := b.admin("history", "lobby")
	for i := range 10 {
		if n := strings.Count(out, fmt.Sprintf(" ada: %d\n", i)); n != 1 {
			t.Errorf("message %d is there %d times:\n%s", i, n, out)
		}
	}
	v := visit(t, b.at, b.ca)
	v.http.Timeout = time.Minute
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPost, "/v1/rpc", "{}", http.StatusUnauthorized}, {http.MethodGet, "/", "", http.StatusNotFound}, {http.MethodGet, "/ws", "", http.StatusNotFound},
		{http.MethodGet, "/v1/nothing", "", http.StatusUnauthorized}, {http.MethodPost, "/v1/rpc", strings.Repeat(" ", 1<<20+1), http.StatusRequestEntityTooLarge},
		{http.MethodPost, "/v1/rpc", strings.Repeat(" ", 1<<20), http.StatusUnauthorized},
	} {
		if status, text := v.ask(c.method, c.path, "application/json", c.body); status != c.want {
			t.Errorf("%s %s with %d bytes is answered %d %.200s, want %d", c.method, c.path, len(c.body), status, text, c.want)
		}
	}
}
