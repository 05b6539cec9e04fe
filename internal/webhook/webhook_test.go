package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
)

// secret is one.
var secret = []byte("a secret of 30 bytes or so, in all")

// patience is a time for an answer, which has to be enough unless it never comes.
func patience(never bool) time.Duration {
	if never {
		return time.Second
	}
	return await.Limit
}

// What a receiver answers is known by its result, and never followed, kept or shown.
func TestAnswers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		result Result
		says   string
	}{
		"taken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }, OK, ""},
		"an error": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "SECRET", http.StatusTeapot) }, Status, "answered 418 I'm a teapot"},
		"gone":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, Gone, "answered 410 Gone"},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, Redirect, "answered 307"},
		"silence": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client go
			<-r.Context().Done()
		}, Timeout, "did not answer within 1s"},
		"elsewhere, badly": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "%zz://SECRET")
			w.WriteHeader(http.StatusFound)
		}, Redirect, "answered 302"},
		"a body that does not end": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, OK, ""},
		"no HTTP":              {says("SECRET\r\n\r\n"), Connection, "does not answer as HTTP has it"},
		"a broken head":        {says("HTTP/1.1 200 OK\r\nSECRET\r\n\r\n"), Connection, "does not answer as HTTP has it"},
		"a broken length":      {says("HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n"), Connection, "does not answer as HTTP has it"},
		"heads without an end": {says(strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: SECRET\r\n\r\n", maxHead/16)), Connection, "with a head of more than"},
		"a cut":                {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Connection, "does not answer"},
		"a long head": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHead))
		}, Connection, "with a head of more than"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(c.answer)
			s.Config.ErrorLog = nil
			s.Start()
			defer s.Close()
			defer s.CloseClientConnections()
			r, err := NewSender(Receiver{URL: s.URL + "/SECRET?token=SECRET", Timeout: patience(strings.Contains(c.says, "within") || strings.Contains(name, "does not end"))})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			result, err := r.Post(context.Background(), "msg_1", []byte("{}"))
			if result != c.result {
				t.Errorf("the result is %s: %v", result, err)
			}
			if (err == nil) != (c.says == "") || err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// When to come again is in seconds or a date, and counts with 429 and 503 alone.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-30": 0, "+30": 0, "1.5": 0, "soon": 0,
		"Sun, 29 Nov 2026 12:01:00 GMT": time.Minute, "Sunday, 29-Nov-26 12:01:00 GMT": time.Minute, "Sun Nov 29 12:01:00 2026": time.Minute,
		"Sun, 29 Nov 2026 11:59:59 GMT": 0, "Sun, 29 Nov": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
	for _, value := range []string{strings.Repeat("9", 100), "Fri, 31 Dec 9999 23:59:59 GMT"} {
		if got := retryAfter(value, now); got < 100*365*24*time.Hour {
			t.Errorf("%q is %v", value, got)
		}
	}
	status := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(status)
	}))
	defer s.Close()
	r, err := NewSender(Receiver{URL: s.URL, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for code, want := range map[int]time.Duration{429: 30 * time.Second, 503: 30 * time.Second, 500: 0, 307: 0, 410: 0} {
		status = code
		_, err := r.Post(context.Background(), "msg_1", []byte("{}"))
		var refused *Refused
		if !errors.As(err, &refused) || refused.RetryAfter != want {
			t.Errorf("%d: %#v", code, err)
		}
	}
}

// says writes to the connection what may be no HTTP.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// An answer that is wanted has to be there in time, as a whole.
func TestAnswersAreWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		text   string
		result Result
	}{
		"whole": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("yes")) }, "yes", OK},
		"late": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = w.Write([]byte("ye"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "", Timeout},
		"cut":     {says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nye"), "", Connection},
		"refused": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }, "", Status},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.answer)
			defer s.Close()
			defer s.CloseClientConnections()
			r, err := NewSender(Receiver{URL: s.URL, Timeout: patience(c.result == Timeout)})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			answer, result, err := r.Ask(context.Background(), "msg_1", []byte("{}"))
			if string(answer) != c.text || result != c.result || (err == nil) != (result == OK) {
				t.Errorf("the answer is %q, the result %s: %v", answer, result, err)
			}
		})
	}
}

// An answer of 100 MB is not read, and one that is as long as it may be is read as a whole.
func TestLongAnswers(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) { longAnswers(t, protocol) })
	}
}

func longAnswers(t *testing.T, protocol string) {
	wrote, size := make(chan int, 1), 100<<20
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != protocol {
			t.Errorf("it is asked by %s", r.Proto)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		chunk, n := bytes.Repeat([]byte("x"), MaxAnswer), 0
		for range size / len(chunk) {
			k, err := w.Write(chunk)
			if n += k; err != nil {
				break
			}
		}
		wrote <- n
	}))
	cert := certtest.New(t, 24*time.Hour)
	s.TLS, s.EnableHTTP2 = cert.Server(t), protocol == "HTTP/2.0"
	s.StartTLS()
	defer s.Close()
	r, err := NewSender(Receiver{URL: s.URL, Secrets: [][]byte{secret}, TLS: certtest.Client(cert), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if result, err := r.Post(context.Background(), "msg_1", []byte("{}")); result != OK {
		t.Errorf("the result is %s: %v", result, err)
	}
	if n := <-wrote; n > 50<<20 {
		t.Errorf("%d bytes of the answer were taken", n)
	}
	size = MaxAnswer
	if answer, result, err := r.Ask(context.Background(), "msg_1", []byte("{}")); result != OK || len(answer) != MaxAnswer {
		t.Errorf("of a long answer there are %d bytes, the result is %s: %v", len(answer), result, err)
	}
	<-wrote
}

// What comes before it is read is little over HTTP/2 too, where a receiver may send what
// nobody has asked for yet.
func TestWindows(t *testing.T) {
	cert := certtest.New(t, 24*time.Hour)
	config := cert.Server(t)
	config.NextProtos = []string{"h2"}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := NewSender(Receiver{URL: "https://" + l.Addr().String(), Secrets: [][]byte{secret}, TLS: certtest.Client(cert), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		_, _ = r.Post(context.Background(), "msg_1", []byte("{}")) // there is no answer
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(conn, conn)
	stream, connection := uint32(65_535), uint32(65_535) // unless something else is said
	for asked := false; !asked; {
		f, err := frames.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if v, ok := f.Value(http2.SettingInitialWindowSize); ok {
				stream = v
			}
		case *http2.WindowUpdateFrame:
			connection += f.Increment
		case *http2.HeadersFrame:
			asked = true
		}
	}
	_ = conn.Close()
	<-posted
	if stream > MaxAnswer || connection > 2<<20 {
		t.Errorf("%d bytes of an answer may come before it is read, %d of all on a connection", stream, connection)
	}
}

// Certificates are verified, by the system's roots or by those that are named.
func TestCertificates(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	cert := certtest.New(t, 24*time.Hour)
	s.TLS = cert.Server(t)
	s.StartTLS()
	defer s.Close()
	for _, c := range []struct {
		trusted []certtest.Certificate
		result  string
	}{{nil, Untrusted}, {[]certtest.Certificate{cert}, OK}} {
		cfg := Receiver{URL: s.URL, Secrets: [][]byte{secret}, Timeout: time.Minute}
		if c.trusted != nil {
			cfg.TLS = certtest.Client(c.trusted...)
		}
		r, err := NewSender(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if result, err := r.Post(context.Background(), "msg_1", []byte("{}")); result != c.result {
			t.Errorf("the result is %s: %v", result, err)
		}
		r.Close()
	}
}

// URLs that would not do are refused before anything is sent.
func TestBadURLs(t *testing.T) {
	for name, url := range map[string]string{
		"none": "", "a path": "/hooks", "a file": "file:///etc/passwd", "no host": "http://", "ftp": "ftp://example.com",
		"a login": "https://user:SECRET@example.com/", "a fragment": "https://example.com/#SECRET", "broken": "http://%zz",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSender(Receiver{URL: url, Secrets: [][]byte{secret}, Timeout: time.Minute})
			if err == nil || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := NewSender(Receiver{URL: "https://example.com/hooks"}); err == nil || !strings.Contains(err.Error(), "whsec_") {
		t.Errorf("without a secret, beyond this machine: %v", err)
	}
}

// Files of secrets hold one a line.
func TestBadSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		n    int
	}{
		"one":       {"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 1},
		"two":       {"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\r\nwhsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 2},
		"none":      {"", 0},
		"no prefix": {"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", 0},
		"short":     {"whsec_MDEyMzQ1Njc4OWFi", 0},
		"no Base64": {"whsec_!", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			secrets, err := ReadSecrets(path)
			if len(secrets) != c.n || (err == nil) != (c.n > 0) {
				t.Errorf("%d secrets, %v", len(secrets), err)
			}
			if err != nil && c.text != "" && strings.Contains(err.Error(), "MDEy") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}
