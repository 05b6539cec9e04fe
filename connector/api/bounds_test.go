package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// held is a host whose requests wait until they are let go.
type held struct {
	begun atomic.Int64
	free  chan struct{}
}

func (h *held) Ready() bool { return true }

func (h *held) Begin(_ context.Context, _ *Caller, _ rpc.Request, answer Answer) {
	h.begun.Add(1)
	<-h.free
	answer(func(b []byte) []byte { return append(b, "{}"...) }, nil)
}

// Bodies that are as long as they may be are taken up to the bound, and the rest is told
// to come back.
//
//parley:bound requests of backends
func TestBodiesAreBounded(t *testing.T) {
	key, text := OwnKey("shop")
	keys, err := OpenKeys("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	keys.Add(key)
	host := &held{free: make(chan struct{})}
	server := NewServer(Config{Host: host, Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	const most, more = bodies / MaxRequest, 6
	request := `{"jsonrpc":"2.0","id":1,"method":"x"}`
	body := strings.Repeat(" ", MaxRequest-len(request)) + request
	statuses := make(chan int, most+more)
	for range most + more {
		go func() {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/v1/rpc", strings.NewReader(body))
			if err != nil {
				statuses <- 0
				return
			}
			r.Header.Set("Authorization", "Bearer "+text)
			r.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				statuses <- 0
				return
			}
			_ = res.Body.Close()
			statuses <- res.StatusCode
		}()
	}
	for i := range more {
		if status := <-statuses; status != http.StatusServiceUnavailable {
			t.Errorf("answer %d while all room is taken is %d", i, status)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); host.begun.Load() < most; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests have begun, want %d", host.begun.Load(), most)
		}
	}
	close(host.free)
	for range most {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a request that was taken is answered %d", status)
		}
	}
	if used := server.bodies.Used(); used != 0 {
		t.Errorf("%d bytes count when all is answered", used)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-served
}
