package ws

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// open serves everything, and has no place for a WebSocket.
type open struct{}

func (open) Refuse(*http.Request) string { return "" }

func (open) Admit(*http.Request) (Place, error) { return nil, errors.New("no place") }

// A page that is not read does not hold its connection for ever.
func TestUnreadPage(t *testing.T) {
	t.Parallel()
	served := make(chan error, 1)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		served <- err
	})
	all := NewServer(Config{Host: open{}, Page: page, Path: "/ws", Logger: slog.New(slog.DiscardHandler)})
	server := all.server
	if server.WriteTimeout <= 0 || server.ReadTimeout <= 0 || server.IdleTimeout <= 0 {
		t.Fatalf("the server waits for ever: %+v", server)
	}
	server.WriteTimeout = time.Second // rather than half a minute
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = all.Serve(l) }()
	defer server.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-served:
		if err == nil {
			t.Error("64 MiB were written to a client that reads nothing")
		}
	case <-time.After(await.Limit):
		t.Fatal("the page is still being written")
	}
}
