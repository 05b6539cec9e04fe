package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var testPage = fstest.MapFS{
	".gitkeep":           {},
	"index.html":         {Data: []byte("<!doctype html><title>t</title>")},
	"assets/app-1a2b.js": {Data: []byte(strings.Repeat("export const a = 1;\n", 200))},
	"sdk/parley.js":      {Data: []byte("export {}")},
}

func get(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestHandlerStatus(t *testing.T) {
	h := newHandler(testPage)
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/", 200},
		{"HEAD", "/", 200},
		{"GET", "/index.html", 200},
		{"GET", "/assets/app-1a2b.js", 200},
		{"GET", "/.gitkeep", 404},
		{"GET", "/assets/", 404},
		{"GET", "/../handler.go", 404},
		{"POST", "/", 405},
	} {
		if got := get(t, h, c.method, c.path).StatusCode; got != c.want {
			t.Errorf("%s %s = %d, want %d", c.method, c.path, got, c.want)
		}
	}
}

func TestHandlerPolicy(t *testing.T) {
	res := get(t, newHandler(testPage), "GET", "/")
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "script-src 'self'", "base-uri 'none'",
		"frame-ancestors 'none'", "require-trusted-types-for 'script'",
		"trusted-types shell", "worker-src 'self'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
	for _, never := range []string{"unsafe-inline", "unsafe-eval", "*"} {
		if strings.Contains(policy, never) {
			t.Errorf("the policy %q allows %q", policy, never)
		}
	}
	if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options = %q, want nosniff", got)
	}
}

func TestHandlerCaching(t *testing.T) {
	h := newHandler(testPage)
	if got := get(t, h, "GET", "/assets/app-1a2b.js").Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("a hashed asset has Cache-Control %q, want immutable", got)
	}
	first := get(t, h, "GET", "/")
	if got := first.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("the page has Cache-Control %q, want no-cache", got)
	}
	again := get(t, h, "GET", "/", "If-None-Match", first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("asking again with the ETag = %d, want 304", again.StatusCode)
	}
}

func TestHandlerCompression(t *testing.T) {
	h := newHandler(testPage)
	const path = "/assets/app-1a2b.js"
	want := string(testPage[path[1:]].Data)

	res := get(t, h, "GET", path, "Accept-Encoding", "br, gzip")
	if res.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("no gzip although it is accepted: %v", res.Header)
	}
	r, err := gzip.NewReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("decompressed body differs: %v", err)
	}

	for _, accept := range []string{"", "br", "gzip;q=0", "gzip; q=0.0"} {
		res := get(t, h, "GET", path, "Accept-Encoding", accept)
		if got, _ := io.ReadAll(res.Body); res.Header.Get("Content-Encoding") != "" || string(got) != want {
			t.Errorf("Accept-Encoding %q: the plain body was not served", accept)
		}
	}
}

func TestHandlerForeignOrigin(t *testing.T) {
	h := newHandler(testPage)
	if got := get(t, h, "GET", "/sdk/parley.js").Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("the SDK cannot be imported from another origin: %q", got)
	}
	if got := get(t, h, "GET", "/").Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the page itself is readable from other origins: %q", got)
	}
}

// TestEmbedded holds for both kinds of binary, with the page and without.
func TestEmbedded(t *testing.T) {
	res := get(t, Handler(), "GET", "/")
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), "<title>Parley") {
		t.Fatalf("GET / = %d %.200q, %v", res.StatusCode, body, err)
	}
	if strings.Contains(string(body), `="/`) {
		t.Errorf("the page asks for something at the root, and is blank below a path: %s", body)
	}
	if hint := strings.Contains(string(body), "make build"); hint == Built() {
		t.Errorf("Built() = %v, the page says how to build: %v", Built(), hint)
	}
}
