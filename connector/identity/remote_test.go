package identity

import (
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// publisher is a server of a key set.
type publisher struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Pointer[http.HandlerFunc]
}

func newPublisher(t *testing.T, secure bool) *publisher {
	p := &publisher{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		(*p.answer.Load())(w, r)
	}))
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if secure {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) answers(f http.HandlerFunc) { p.answer.Store(&f) }

func (p *publisher) publishes(keys ...string) {
	p.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprintf(w, `{"keys":[%s]}`, strings.Join(keys, ","))
	})
}

// signer signs tokens with a kid, and has the key for a set.
type signer struct {
	kid, jwk string
	key      ed25519.PrivateKey
}

func newSigner(t *testing.T, kid string) signer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{kid, jwk(t, public, kid, nil), private}
}

func (s signer) token(t *testing.T) string {
	return issuer{}.sign(t, "EdDSA", s.key, `{"alg":"EdDSA","kid":"`+s.kid+`"}`, `{"sub":"ada","exp":`+at(time.Hour)+`}`)
}

// follow is a verifier whose keys are fetched from a URL, for as long as the
// test runs.
type follow struct {
	*Verifier
	log    strings.Builder
	mu     sync.Mutex
	failed []error
	ended  chan struct{}
}

const secretQuery = "?key=hunter2"

func newRemote(t *testing.T, address string) *Remote {
	t.Helper()
	r, err := NewRemote(address+secretQuery, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newFollow(t *testing.T, r *Remote) *follow {
	f := &follow{Verifier: NewVerifier(Auth{Algorithms: []string{"EdDSA"}}, r), ended: make(chan struct{})}
	r.logger = slog.New(slog.NewTextHandler(f, nil))
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(f.ended)
		r.Run(ctx, func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.failed = append(f.failed, err)
		})
	}()
	t.Cleanup(func() {
		stop()
		<-f.ended
	})
	return f
}

func (f *follow) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.Write(b)
}

func (f *follow) logged() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

func (f *follow) has(t *testing.T) {
	t.Helper()
	select {
	case <-f.remote.First():
	case <-time.After(await.Limit):
		t.Fatal("no keys")
	}
}

// badAnswers are those that no keys can be had from.
var badAnswers = map[string]struct {
	answer http.HandlerFunc
	says   string
}{
	"HTML": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>log in</html>") }, "not a key set"},
	"2 MiB": {func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[],"x":"%s"}`, strings.Repeat("x", 2<<20))
	}, "more than 1048576 bytes"},
	"2 MiB, compressed": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprintf(z, `{"keys":[],"x":"%s"}`, strings.Repeat("x", 2<<20))
		z.Close()
	}, "more than 1048576 bytes"},
	"headers without end": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }, "header"},
	"slow":                {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "did not answer within"},
	"a slow body": {func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"keys":[`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, "did not answer within"},
	"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, "redirect"},
	"an error":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "500"},
	"nothing":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204"},
	"a cut": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, `{"keys":[`)
	}, "EOF"},
	"an empty set": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[]}`) }, "no public key"},
	"a secret": {func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"keys":[{"kty":"oct","kid":"a","k":"aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnRlcjI"}]}`)
	}, "no public key"},
}

// Whatever a bad answer is like, the keys from before serve on, and the error quotes
// neither the answer nor the URL.
//
//parley:bound the keys of tokens
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range badAnswers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, a := newPublisher(t, false), newSigner(t, "a")
			p.publishes(a.jwk)
			r := newRemote(t, p.URL)
			if keep, err := r.try(t.Context(), func(error) {}); err != nil || keep != 10*time.Minute {
				t.Fatalf("a good answer: for %v, %v", keep, err)
			}
			p.answers(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					t.Error("a redirect is followed")
				}
				c.answer(w, r)
			})
			if strings.Contains(c.says, "within") { // others have the time that a busy machine takes
				r.client.Timeout = 500 * time.Millisecond
			}
			var failed error
			_, err := r.try(t.Context(), func(err error) { failed = err })
			if err == nil || failed == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %s", err, c.says)
			}
			text, missing := r.Trouble()
			for _, secret := range []string{"hunter2", "log in", "aHVudGVy"} {
				if strings.Contains(err.Error()+text, secret) {
					t.Errorf("the error quotes: %v", err)
				}
			}
			if missing || !strings.Contains(text, err.Error()) {
				t.Errorf("trouble: %s", text)
			}
			if u, err := NewVerifier(Auth{Algorithms: []string{"EdDSA"}}, r).Verify(t.Context(), a.token(t)); err != nil || u.Name != "ada" {
				t.Errorf("with the keys from before: %+v, %v", u, err)
			}
		})
	}
}

// HTTPS is spoken with servers alone whose certificate is valid.
func TestCertificates(t *testing.T) {
	t.Parallel()
	p, a := newPublisher(t, true), newSigner(t, "a")
	p.publishes(a.jwk)
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	known.AddCert(p.Certificate())
	for name, c := range map[string]struct {
		address string
		roots   *x509.CertPool
		says    string // "": it is accepted
	}{
		"a known certificate":    {p.URL, known, ""},
		"an unknown certificate": {p.URL, nil, "certificate"},
		"another name":           {"https://localhost:" + u.Port(), known, "certificate"},
		"no TLS":                 {"http://127.0.0.1:" + u.Port(), nil, "400"},
		"nobody":                 {"https://127.0.0.1:1", known, "refused"},
	} {
		r := newRemote(t, c.address)
		r.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: c.roots}
		_, err := r.try(t.Context(), func(error) {})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if text, missing := r.Trouble(); missing != (err != nil) || missing && !strings.Contains(text, c.says) {
			t.Errorf("%s: trouble: %s", name, text)
		}
	}
}

// A name cannot lead plain requests beyond this machine, and none lasts longer
// than it may.
func TestClient(t *testing.T) {
	t.Parallel()
	r := newRemote(t, "http://127.0.0.1:1")
	if r.client.Timeout != 5*time.Second {
		t.Errorf("a request may take %v", r.client.Timeout)
	}
	r.url.Host = "192.0.2.1"
	if _, _, err := r.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "this machine alone") {
		t.Errorf("beyond this machine: %v", err)
	}
}

// A token of a new key is to come later while the keys were fetched a moment ago.
// Then it makes them be fetched again, and waits for that.
func TestUnknownKid(t *testing.T) {
	t.Parallel()
	p, a, b, c := newPublisher(t, false), newSigner(t, "a"), newSigner(t, "b"), newSigner(t, "c")
	p.publishes(a.jwk)
	r := newRemote(t, p.URL)
	f := newFollow(t, r)
	f.has(t)
	verify := func(s signer) error {
		_, err := f.Verify(t.Context(), s.token(t))
		return err
	}
	if err := verify(a); err != nil {
		t.Fatal(err)
	}
	p.publishes(a.jwk, b.jwk)
	for range 3 {
		if err := verify(b); !errors.Is(err, ErrLater) {
			t.Errorf("a moment after a fetch: %v", err)
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	if err := verify(signer{"a", "", b.key}); !errors.Is(err, errSignature) {
		t.Errorf("another's signature under a known kid: %v", err)
	}

	r.refetch = 0 // as if 30 s had passed
	if err := verify(b); err != nil {
		t.Errorf("after the fetch: %v", err)
	}
	if err := verify(c); !errors.Is(err, errUnknown) {
		t.Errorf("a key that is in no set: %v", err)
	}
	if n := p.asked.Load(); n != 3 {
		t.Errorf("%d fetches", n)
	}
	p.answers(badAnswers["an error"].answer)
	if err := verify(c); !errors.Is(err, ErrLater) {
		t.Errorf("a key that could not be fetched: %v", err)
	}
	if err := verify(a); err != nil {
		t.Errorf("a key from before: %v", err)
	}
}

// However many tokens of unknown keys come, the server is asked once in a while.
func TestManyUnknownKids(t *testing.T) {
	t.Parallel()
	p, a, b := newPublisher(t, false), newSigner(t, "a"), newSigner(t, "b")
	p.publishes(a.jwk)
	r := newRemote(t, p.URL)
	f := newFollow(t, r)
	f.has(t)
	r.mu.Lock()
	r.began = r.began.Add(-refetchAfter)
	r.mu.Unlock()
	release := make(chan struct{})
	p.answers(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprintf(w, `{"keys":[%s,%s]}`, a.jwk, b.jwk)
	})
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if _, err := f.Verify(t.Context(), b.token(t)); err != nil {
				t.Error(err)
			}
			if _, err := f.Verify(t.Context(), (signer{"x", "", b.key}).token(t)); !errors.Is(err, ErrLater) {
				t.Error(err)
			}
		})
	}
	await.That(t, "the keys are asked for again", func() bool { return p.asked.Load() == 2 })
	close(release)
	all.Wait()
	if n := p.asked.Load(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

// Without any keys tokens are to come later, and it is tried until there are
// some; an outage is logged once, and its end.
func TestFirstKeys(t *testing.T) {
	t.Parallel()
	p, a := newPublisher(t, false), newSigner(t, "a")
	p.answers(badAnswers["an error"].answer)
	f := newFollow(t, newRemote(t, p.URL))
	for p.asked.Load() < 2 {
		if _, err := f.Verify(t.Context(), a.token(t)); !errors.Is(err, ErrLater) {
			t.Errorf("without keys: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if text, missing := f.remote.Trouble(); !missing || !strings.Contains(text, "500") {
		t.Errorf("trouble: %s", text)
	}
	p.publishes(a.jwk)
	f.has(t)
	if _, err := f.Verify(t.Context(), a.token(t)); err != nil {
		t.Error(err)
	}
	if text, _ := f.remote.Trouble(); text != "" {
		t.Errorf("trouble: %s", text)
	}
	log := f.logged()
	if strings.Count(log, "level=WARN") != 1 || strings.Count(log, "level=INFO") != 1 || strings.Contains(log, "hunter2") {
		t.Errorf("the log: %s", log)
	}
	if f.failed[0] == nil || f.failed[len(f.failed)-1] != nil {
		t.Errorf("attempts: %v", f.failed)
	}
}

// Who waits for keys does not wait for longer than its connection lasts.
func TestEndWhileFetching(t *testing.T) {
	t.Parallel()
	p, a := newPublisher(t, false), newSigner(t, "a")
	p.answers(badAnswers["slow"].answer)
	f := newFollow(t, newRemote(t, p.URL))
	await.That(t, "the keys are asked for", func() bool { return p.asked.Load() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Verify(ctx, a.token(t)); !errors.Is(err, ErrLater) {
		t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.failed) > 0 {
		t.Error("it waited until the fetch was over")
	}
}
