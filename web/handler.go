package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// contentSecurityPolicy lets the page run its own scripts and styles and talk
// to its own origin, and nothing else: no inline code, no eval, no markup made
// from strings, no framing by another site. Of the browser's trusted types the
// page has one policy, shell, which allows the address of its service worker.
const contentSecurityPolicy = "default-src 'none'; " +
	"script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; worker-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types shell"

// Cache-Control values: files under assets/ carry a hash of their content in
// their name and never change, everything else is asked for again each time.
const (
	cacheForever    = "public, max-age=31536000, immutable"
	cacheRevalidate = "no-cache"
)

// minCompressed is the size in bytes below which compression saves no packet.
const minCompressed = 1024

// asset is one file of the page, ready to be sent.
type asset struct {
	body    []byte
	gzipped []byte // nil where compression does not pay
	header  http.Header
	etag    string // without quotes
}

// Handler serves the browser page: "/" is the chat, everything else one of its
// files, and "/sdk/" the client library for pages of other origins. It holds
// the files compressed in memory, needs no further set-up and may be used by
// any number of goroutines.
func Handler() http.Handler {
	return newHandler(files())
}

// newHandler reads tree once; a tree that cannot be read is a broken binary.
func newHandler(tree fs.FS) http.Handler {
	assets := make(map[string]*asset)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		assets["/"+name] = newAsset(name, body)
		return nil
	})
	if err != nil {
		panic("web: the embedded page cannot be read: " + err.Error())
	}
	assets["/"] = assets["/index.html"]
	return pageHandler{assets: assets}
}

func newAsset(name string, body []byte) *asset {
	sum := sha256.Sum256(body)
	a := &asset{body: body, etag: hex.EncodeToString(sum[:12]), header: make(http.Header)}
	a.header.Set("Content-Type", contentType(name))
	a.header.Set("Cache-Control", cacheRevalidate)
	a.header.Set("X-Content-Type-Options", "nosniff")
	a.header.Set("Referrer-Policy", "no-referrer")
	a.header.Set("Cross-Origin-Opener-Policy", "same-origin")
	a.header.Set("Content-Security-Policy", contentSecurityPolicy)
	switch {
	case strings.HasPrefix(name, "assets/"):
		a.header.Set("Cache-Control", cacheForever)
	case strings.HasPrefix(name, "sdk/"):
		a.header.Set("Access-Control-Allow-Origin", "*")
		a.header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if compressible(name) && len(body) >= minCompressed {
		a.gzipped = compress(body)
		a.header.Set("Vary", "Accept-Encoding")
	}
	return a
}

// contentType knows the page's own kinds of file by heart, because the
// system's table of types differs from machine to machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func compressible(name string) bool {
	switch path.Ext(name) {
	case ".html", ".js", ".css", ".svg", ".json", ".map", ".webmanifest":
		return true
	}
	return false
}

// compress returns nil where the compressed form is not smaller.
func compress(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(body); err != nil {
		return nil
	}
	if err := w.Close(); err != nil || out.Len() >= len(body) {
		return nil
	}
	return out.Bytes()
}

type pageHandler struct {
	assets map[string]*asset // read only
}

// ServeHTTP implements [http.Handler].
func (h pageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	a, ok := h.assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	body, etag := a.body, a.etag
	if a.gzipped != nil && acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		body, etag = a.gzipped, a.etag+"-gzip"
	}
	header.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads the request's Accept-Encoding; a quality of zero refuses.
func acceptsGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) != "gzip" {
			continue
		}
		switch strings.ReplaceAll(params, " ", "") {
		case "q=0", "q=0.0", "q=0.00", "q=0.000":
			return false
		}
		return true
	}
	return false
}
