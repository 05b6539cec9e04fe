package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// serve answers the requests of a client with one answer after the other, the last one
// for ever; requests are what it was asked.
func serve(t *testing.T, answers ...string) (url string, requests chan string) {
	t.Helper()
	requests = make(chan string, 100)
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- r.Header.Get("Authorization") + " " + string(body)
		answer := answers[min(int(n.Add(1)), len(answers))-1]
		status, text, _ := strings.Cut(answer, " ")
		switch status {
		case "cut":
			c, _, _ := w.(http.Hijacker).Hijack()
			_ = c.Close()
		case "302":
			http.Redirect(w, r, text, http.StatusFound)
		case "502":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		default:
			_, _ = io.WriteString(w, text)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// What may work later is tried again, marked as sent before, and only that.
func TestCallTriesAgain(t *testing.T) {
	done := `200 {"jsonrpc":"2.0","id":1,"result":{"seq":5}}`
	for name, before := range map[string]string{
		"a cut connection": "cut", "a balancer without servers": "502",
		"a server that cannot now": `200 {"jsonrpc":"2.0","id":1,"error":{"code":1007,"message":"unavailable","data":{"retry":1}}}`,
		"above the rate":           `200 {"error":{"code":1005,"message":"rate limited","data":{"retry":1}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := serve(t, before, before, done)
			waited := 0
			c := New(Config{URL: url, Key: "k", Wait: time.Minute, OnWait: func(error) { waited++ }})
			params := &rpc.PinParams{Channel: "a"}
			var r rpc.ActResult
			if err := c.Call(t.Context(), "pin", params, func() { params.Retry = true }, &r); err != nil || r.Seq != 5 {
				t.Fatalf("brings %+v, %v", r, err)
			}
			for i := range 3 {
				asked := <-requests
				if retried := strings.Contains(asked, `"retry":true`); retried != (i > 0) || !strings.HasPrefix(asked, "Bearer k ") {
					t.Errorf("try %d is %s", i, asked)
				}
			}
			if waited != 1 {
				t.Errorf("was told %d times that it waits", waited)
			}
		})
	}
}

// What never works is said at once, in words that help.
func TestCallSaysWhatIsWrong(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain, _ := serve(t, "200 {}")
	elsewhere, asked := serve(t, `200 {"result":{}}`)
	redirecting, _ := serve(t, "302 "+elsewhere)
	refusing := func(text string) string { url, _ := serve(t, "200 "+text); return url }
	for name, c := range map[string]struct{ url, want string }{
		"a page":              {refusing("<html>"), "not the API"},
		"other JSON":          {plain, "not the API"},
		"another server":      {redirecting, "not the API"},
		"an unknown key":      {refusing(`{"error":{"code":1001,"message":"no"}}`), "refuses the key"},
		"an older version":    {refusing(`{"error":{"code":-32601,"message":"no"}}`), "parley format"},
		"a refusal":           {refusing(`{"error":{"code":1002,"message":"the key does not grant moderate here"}}`), "does not grant"},
		"a certificate":       {secure.URL, "--api-ca"},
		"no TLS":              {strings.Replace(plain, "http:", "https:", 1), "http://"},
		"nobody, for a while": {"http://127.0.0.1:1", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			client := New(Config{URL: c.url, Key: "secret", Wait: 300 * time.Millisecond})
			err := client.Call(t.Context(), "info", rpc.Empty{}, nil, new(rpc.InfoResult))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want one with %q", err, c.want)
			}
		})
	}
	if len(asked) > 0 {
		t.Errorf("another server got %s", <-asked)
	}
}

// Who interrupts waits no longer.
func TestCallEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // which never answers
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = New(Config{URL: "http://" + l.Addr().String(), Wait: time.Hour}).Call(ctx, "info", rpc.Empty{}, nil, new(json.RawMessage))
	if !errors.Is(err, ctx.Err()) {
		t.Errorf("ends with %v", err)
	}
}
