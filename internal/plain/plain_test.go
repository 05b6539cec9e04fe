package plain_test

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/plain"
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
		plain.Bounds{Head: 20 * time.Second, HeadBytes: 16 << 10, Connections: most, OnCrowded: func() { crowded++ }})
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
		if status := plaintest.Status(c, 10*time.Second); status != http.StatusOK {
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
