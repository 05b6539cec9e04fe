package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// hostFunc is a host that carries out requests by a function.
type hostFunc func(ctx context.Context, by *Caller, r rpc.Request, answer Answer)

func (f hostFunc) Ready() bool { return true }

func (f hostFunc) Begin(ctx context.Context, by *Caller, r rpc.Request, answer Answer) {
	f(ctx, by, r, answer)
}

// startServer serves a host with keys of those names, and returns their texts.
func startServer(t *testing.T, host Host, names ...string) (s *Server, at string, texts []string) {
	t.Helper()
	return startBounded(t, 0, host, names...)
}

// startBounded is startServer with a bound of connections; 0: any number.
func startBounded(t *testing.T, connections int, host Host, names ...string) (s *Server, at string, texts []string) {
	t.Helper()
	keys, err := OpenKeys("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		key, text := OwnKey(name)
		keys.Add(key)
		texts = append(texts, text)
	}
	s = NewServer(Config{Host: host, Keys: keys, Connections: connections, Logger: slog.New(slog.DiscardHandler)})
	s.server.ReadHeaderTimeout = time.Minute // the machine may be slow, not only clients
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return s, l.Addr().String(), texts
}

// post sends a body to /v1/rpc, and returns the answer.
func post(ctx context.Context, at, key, body string) (status int, text string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+"/v1/rpc", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	return res.StatusCode, string(all), err
}

// pipes is a listener for what is sent into it.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error {
	close(p)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Answers that nobody takes are kept up to the bound, small ones beyond it; the rest is
// told to come back, and nothing counts once it is sent or its client has gone.
//
//parley:bound answers to backends
func TestAnswersAreBounded(t *testing.T) {
	const room, clients, each = 4 << 20, 2, 8
	var begun atomic.Int64
	page := `"` + strings.Repeat("x", 1<<20) + `"`
	s, at, keys := startServer(t, hostFunc(func(_ context.Context, _ *Caller, r rpc.Request, answer Answer) {
		begun.Add(1)
		answer(func(b []byte) []byte {
			if r.Method == "small" {
				return append(b, "{}"...)
			}
			return append(b, page...)
		}, nil)
	}), "shop")
	s.callers.answers = quota.NewPool(room, smallAnswer)
	var requests []string
	for i := range each {
		requests = append(requests, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"history","params":{"channel":"%d"}}`, i))
	}
	body := "[" + strings.Join(requests, ",") + "]"
	pipes := make(pipes)
	served := make(chan error, 1)
	go func() { served <- s.Serve(pipes) }()
	var slow []net.Conn
	for range clients {
		c, server := net.Pipe() // which keeps nothing in between
		pipes <- server
		fmt.Fprintf(c, "POST /v1/rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", keys[0], len(body), body)
		slow = append(slow, c)
	}
	await.That(t, "all requests have begun", func() bool { return begun.Load() == clients*each })
	await.That(t, "no room is left for a page", func() bool {
		_, text, err := post(t.Context(), at, keys[0], `{"jsonrpc":"2.0","id":1,"method":"history"}`)
		return err == nil && strings.Contains(text, `"code":1007`)
	})
	await.That(t, "no more is kept than there is room for", func() bool { return s.callers.answers.Used() <= room+clients*smallAnswer })
	for _, body := range []string{`{"jsonrpc":"2.0","id":1,"method":"small"}`, `[{"jsonrpc":"2.0","id":1,"method":"small"}]`} {
		if _, text, err := post(t.Context(), at, keys[0], body); err != nil || !strings.Contains(text, `"result":{}`) {
			t.Errorf("meanwhile a small answer is %s, %v", text, err)
		}
	}
	for _, c := range slow {
		_ = c.Close()
	}
	await.That(t, "nothing counts any more", func() bool { return s.callers.answers.Used() == 0 })
	if _, text, err := post(t.Context(), at, keys[0], body); err != nil || strings.Count(text, `"result":"x`) == 0 {
		t.Errorf("once there is room, the answer has %d bytes, %v", len(text), err)
	}
	await.That(t, "nothing counts after that either", func() bool { return s.callers.answers.Used() == 0 })
	_ = s.Close()
	<-served
}

// When the client of a batch has gone, what it has not begun yet is not started: it would
// overtake what is under way in the same channel.
func TestBatchEndsWithItsClient(t *testing.T) {
	var published atomic.Int64
	muting, free, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	_, at, keys := startServer(t, hostFunc(func(ctx context.Context, _ *Caller, r rpc.Request, answer Answer) {
		if r.Method == rpc.MethodPublish {
			published.Add(1)
		} else {
			close(muting)
			<-ctx.Done()
			close(gone)
			<-free
		}
		answer(func(b []byte) []byte { return append(b, "{}"...) }, nil)
	}), "shop")
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _, _ = post(ctx, at, keys[0], `[{"jsonrpc":"2.0","id":1,"method":"mute","params":{"channel":"a"}},{"jsonrpc":"2.0","id":2,"method":"publish","params":{"channel":"a"}}]`)
	}()
	<-muting
	cancel()
	<-gone
	<-over
	time.Sleep(50 * time.Millisecond) // for what must not happen
	close(free)
	if n := published.Load(); n != 0 {
		t.Error("a message overtakes a mute before it in its batch")
	}
}
