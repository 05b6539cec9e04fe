package plain_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
)

// An address that opens connection after connection closes its own, and keeps
// nobody out who takes a moment to send a request.
func TestOneAddressKeepsNobodyOut(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("one loopback address alone is set up here")
	}
	const most = 50
	crowded := 0
	server := plain.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the page") }),
		plain.Bounds{Head: time.Minute, HeadBytes: 16 << 10, Connections: most, OnCrowded: func() { crowded++ }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	at := l.Addr().String()
	for range most {
		plaintest.Send(t, "127.0.0.2", at, "")
	}
	var slow []net.Conn
	for range 5 {
		slow = append(slow, plaintest.Send(t, "127.0.0.1", at, "GET / HTTP/1.1\r\n"))
	}
	for range 3 * most {
		plaintest.Send(t, "127.0.0.2", at, "GET / HTTP/1.1\r\n")
	}
	for i, c := range slow {
		if _, err := c.Write([]byte("Host: localhost\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if status := plaintest.Status(c); status != http.StatusOK {
			t.Errorf("request %d is answered with %d while another address opens connections", i, status)
		}
	}
	if n := server.Count(); n > most {
		t.Errorf("%d connections are open, the bound is %d", n, most)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-served
	if crowded == 0 {
		t.Error("no connection was closed for another one")
	}
}

// Connections that carry out a request stay: those that wait for one go first, and where
// all are at work the new one is refused.
func TestRequestsAtWorkStay(t *testing.T) {
	const most = 4
	begun, free := make(chan string, most), make(chan struct{})
	server := plain.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			plain.Engage(r.Context())
			begun <- r.URL.Path
			<-free
		}
		fmt.Fprint(w, "done")
	}), plain.Bounds{Head: time.Minute, Idle: time.Minute, HeadBytes: 16 << 10, Connections: most})
	turned, answered := server.ConnState, new(atomic.Int64)
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if turned(c, state); state == http.StateIdle {
			answered.Add(1)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	at := l.Addr().String()
	get := func(path string) net.Conn {
		return plaintest.Send(t, "", at, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	works := []net.Conn{get("/work")} // the oldest
	<-begun
	half := plaintest.Send(t, "", at, "GET /")
	await.That(t, "two connections are there", func() bool { return server.Count() == 2 })
	idle := get("/")
	if status := plaintest.Status(idle); status != http.StatusOK {
		t.Fatalf("a request is answered with %d", status)
	}
	await.That(t, "it counts as idle", func() bool { return answered.Load() == 1 })
	for range 2 { // the idle one makes room, which is younger than half a request
		works = append(works, get("/work"))
		<-begun
	}
	isCut(t, "an idle connection", idle)
	if _, err := half.Write([]byte(" HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if status := plaintest.Status(half); status != http.StatusOK {
		t.Errorf("half a request, where another connection is idle, is answered with %d", status)
	}
	works = append(works, get("/work"))
	<-begun
	isCut(t, "the last idle connection", half)
	isCut(t, "a connection beyond those at work", get("/"))
	close(free)
	for i, c := range works {
		if status := plaintest.Status(c); status != http.StatusOK {
			t.Errorf("request %d at work is answered with %d", i, status)
		}
	}
	await.That(t, "there is room again", func() bool { return plaintest.Status(get("/")) == http.StatusOK })
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-served
}

// isCut waits until a connection is closed, on which nothing comes.
func isCut(t *testing.T, what string, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	if n > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%s is not closed: %d bytes, %v", what, n, err)
	}
}
