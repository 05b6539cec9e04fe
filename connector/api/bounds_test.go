package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// Bodies that are as long as they may be are taken up to the bound, and the rest is told
// to come back.
//
//parley:bound requests of backends
func TestBodiesAreBounded(t *testing.T) {
	var begun atomic.Int64
	free := make(chan struct{})
	server, at, keys := startServer(t, hostFunc(func(_ context.Context, _ *Caller, _ rpc.Request, answer Answer) {
		begun.Add(1)
		<-free
		answer(func(b []byte) []byte { return append(b, "{}"...) }, nil)
	}), "shop", "game", "stream", "desk", "late")
	const most, more = bodies / MaxRequest, 6
	request := `{"jsonrpc":"2.0","id":1,"method":"x"}`
	body := strings.Repeat(" ", MaxRequest-len(request)) + request
	statuses := make(chan int, most+more)
	for i := range most + more {
		go func() {
			status, _, _ := post(t.Context(), at, keys[i%len(keys)], body)
			statuses <- status
		}()
	}
	for i := range more {
		if status := <-statuses; status != http.StatusServiceUnavailable {
			t.Errorf("answer %d while all room is taken is %d", i, status)
		}
	}
	await.That(t, "all that are taken have begun", func() bool { return begun.Load() == most })
	close(free)
	for range most {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a request that was taken is answered %d", status)
		}
	}
	if used := server.callers.bodies.Used(); used != 0 {
		t.Errorf("%d bytes count when all is answered", used)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
}

// A key that holds its share of the bodies, each as slow as it may be, is told to come
// back, and other keys are served.
//
//parley:bound requests of backends
func TestOneKeyHoldsAShareOfTheBodies(t *testing.T) {
	server, at, keys := startServer(t, answering("{}"), "shop", "game")
	const most = bodiesOfKey / MaxRequest
	for i := range most {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", keys[0], MaxRequest)
		await.That(t, "the body has room", func() bool { return server.callers.bodies.Used() == int64(i+1)*MaxRequest })
	}
	request := `{"jsonrpc":"2.0","id":1,"method":"x"}`
	if status, text, err := post(t.Context(), at, keys[0], request); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("the key that holds its share is answered %d, %s, %v", status, text, err)
	}
	if status, text, err := post(t.Context(), at, keys[1], request); err != nil || status != http.StatusOK {
		t.Errorf("another key is answered %d, %s, %v", status, text, err)
	}
}

// A key that does not take its answers is told to come back, and others have theirs.
//
//parley:bound answers to backends
func TestOneKeyHoldsAShareOfTheAnswers(t *testing.T) {
	page := `"` + strings.Repeat("x", 1<<20) + `"`
	server, at, keys := startServer(t, answering(page), "shop", "game")
	pipes := make(pipes)
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipes) }()
	for range answersOfKey/len(page) + 1 {
		c, theirs := net.Pipe() // which keeps nothing in between
		defer c.Close()
		pipes <- theirs
		body := `{"jsonrpc":"2.0","id":1,"method":"history"}`
		fmt.Fprintf(c, "POST /v1/rpc HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", keys[0], len(body), body)
	}
	request := `{"jsonrpc":"2.0","id":1,"method":"history"}`
	await.That(t, "the key has its share of the answers", func() bool {
		_, text, err := post(t.Context(), at, keys[0], request)
		return err == nil && strings.Contains(text, `"code":1007`)
	})
	if _, text, err := post(t.Context(), at, keys[1], request); err != nil || !strings.Contains(text, `"result":"x`) {
		t.Errorf("another key is answered %.200s, %v", text, err)
	}
	_ = server.Close()
	<-served
}

// answering is a host that answers everything so.
func answering(result string) Host {
	return hostFunc(func(_ context.Context, _ *Caller, _ rpc.Request, answer Answer) {
		answer(func(b []byte) []byte { return append(b, result...) }, nil)
	})
}

// A key that has as many requests under way as it may is told to come back, and other
// keys are served, by a connection for which an idle one goes.
//
//parley:bound connections to the API
func TestOneKeyHasAShareOfTheConnections(t *testing.T) {
	const most = 8
	begun, free := make(chan struct{}, most), make(chan struct{})
	server, at, keys := startBounded(t, most, hostFunc(func(_ context.Context, _ *Caller, _ rpc.Request, answer Answer) {
		begun <- struct{}{}
		<-free
		answer(func(b []byte) []byte { return append(b, "{}"...) }, nil)
	}), "shop", "game")
	request := `{"jsonrpc":"2.0","id":1,"method":"x"}`
	statuses := make(chan int, most)
	ask := func(key string) {
		status, _, _ := post(t.Context(), at, key, request)
		statuses <- status
	}
	for range most / 2 {
		go ask(keys[0])
		<-begun
	}
	for range 2 * most {
		if status, text, err := post(t.Context(), at, keys[0], request); err != nil || status != http.StatusServiceUnavailable {
			t.Fatalf("the key that has its share of the connections is answered %d, %s, %v", status, text, err)
		}
	}
	for range most / 2 {
		go ask(keys[1])
		<-begun
	}
	close(free)
	for range most {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a request that was taken up is answered %d", status)
		}
	}
	if n := server.Connections(); n > most {
		t.Errorf("there are %d connections, of %d that may be", n, most)
	}
}
