package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// What waits for the keys of tokens says so, for as long as it takes, and goes on
// when they can be fetched.
func TestUpWaitsForKeys(t *testing.T) {
	embeddedtest.NeedEngine(t)
	var answers atomic.Bool
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !answers.Load() {
			http.Redirect(w, &http.Request{}, "https://id.example.com/login", http.StatusFound)
			return
		}
		fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	t.Cleanup(keys.Close)
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--auth-jwks", keys.URL+"/?key=hunter2", "--auth-audience", "none")
	admin := "http://" + up.find(`health is served" address=(\S+)`)
	await.That(t, "it says why it waits", func() bool {
		_, text := readiness(t, admin)
		return strings.Contains(text, "the keys of tokens could not be fetched from "+strings.TrimPrefix(keys.URL, "http://")) && strings.Contains(text, "a redirect")
	})
	up.find(`level=WARN msg="the keys of tokens could not be fetched, and clients wait`)
	answers.Store(true)
	up.find(`Parley is ready`)
	if _, text := readiness(t, admin); text != "ready\nclients: authenticated by tokens, EdDSA or ES256 or ES384 or ES512 or RS256\n" {
		t.Errorf("/readyz says %q", text)
	}
	if strings.Contains(up.said(), "hunter2") {
		t.Error("the log quotes the URL")
	}
}

// An address that answers with a page is not that of a key set: the start ends.
func TestStartEndsWhereTheKeySetIsAPage(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") }))
	t.Cleanup(page.Close)
	c := begin(t, "connector", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:1", "--auth-jwks", page.URL+"/?key=hunter2", "--auth-audience", "none")
	code, last := c.exitCode(), lastLine(c.said())
	if code != 1 || !strings.Contains(last, "--auth-jwks: "+strings.TrimPrefix(page.URL, "http://")) || !strings.Contains(last, "jwks_uri") || strings.Contains(c.said(), "hunter2") {
		t.Errorf("exit code %d:\n%s", code, c.said())
	}
}
