package identity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.conns <- far
	return near, nil
}

// With a clock of its own: a set is fetched again when it is no longer fresh,
// a failure is followed by another attempt within 45 s, and an unknown kid makes
// it be fetched 30 s after the attempt before.
func TestWhenKeysAreFetched(t *testing.T) {
	a, b := newSigner(t, "a"), newSigner(t, "b")
	synctest.Test(t, func(t *testing.T) {
		var asked, down atomic.Int64
		l := pipes{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			if down.Load() > 0 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("Cache-Control", "max-age=600")
			fmt.Fprintf(w, `{"keys":[%s]}`, a.jwk)
		})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		r := newRemote(t, "http://127.0.0.1")
		r.client.Transport.(*http.Transport).DialContext = l.dial
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Run(ctx, func(error) {})
		}()
		after := func(d time.Duration, want int64) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if n := asked.Load(); n != want {
				t.Errorf("it was asked %d times, want %d", n, want)
			}
		}
		after(0, 1)
		after(10*time.Minute-time.Second, 1)
		after(2*time.Second, 2)

		v := NewVerifier(Auth{Algorithms: []string{"EdDSA"}}, r)
		token := b.token(t)
		if _, err := v.Verify(ctx, token); !errors.Is(err, ErrLater) {
			t.Errorf("an unknown kid, a second after: %v", err)
		}
		after(28*time.Second-time.Millisecond, 2)
		if _, err := v.Verify(ctx, token); !errors.Is(err, ErrLater) {
			t.Errorf("an unknown kid, 29 s after: %v", err)
		}
		after(2*time.Second, 2)
		if _, err := v.Verify(ctx, token); !errors.Is(err, errUnknown) {
			t.Errorf("an unknown kid, 31 s after: %v", err)
		}
		after(0, 3)

		down.Store(1)
		after(10*time.Minute+400*time.Millisecond, 4) // the next comes half a second later at the earliest
		before := asked.Load()
		time.Sleep(10 * time.Minute)
		if n := asked.Load() - before; n < 10*60/45 || n > 60 {
			t.Errorf("in an outage of 10 minutes it was asked %d times", n)
		}
		if r.current() == nil {
			t.Error("the keys from before are forgotten")
		}
		stop()
		<-ended
		_ = server.Close()
		<-served
	})
}
