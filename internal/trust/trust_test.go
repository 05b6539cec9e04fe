package trust_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/trust"
)

// A server that hung up is asked for TLS, unless its answer shows that it is a
// plain one.
func TestPlain(t *testing.T) {
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	err := trust.Plain(t.Context(), secure.Listener.Addr().String(), "plain", io.EOF)
	if !errors.Is(err, io.EOF) || trust.Refused(err) == "" {
		t.Errorf("a server with TLS is reported as: %v", err)
	}

	addr, first := plainServer(t, "HTTP/1.0 400 Bad Request\r\n\r\nthis port is a plain one")
	if err := trust.Plain(t.Context(), addr, "plain one", io.EOF); !errors.Is(err, io.EOF) || trust.Refused(err) != "" {
		t.Errorf("a plain server is reported as: %v", err)
	}
	if seen := first(); string(seen) != "G" {
		t.Errorf("what it was asked began with %q", seen)
	}

	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := trust.Plain(over, addr, "plain one", io.EOF); err != io.EOF {
		t.Errorf("without time it is reported as: %v", err)
	}
}

// plainServer answers whatever comes. first is with what each connection began.
func plainServer(t *testing.T, answer string) (addr string, first func() []byte) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var seen []byte
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if b, err := bufio.NewReader(conn).ReadByte(); err == nil {
				mu.Lock()
				seen = append(seen, b)
				mu.Unlock()
			}
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	})
	t.Cleanup(func() { ln.Close(); served.Wait() })
	return ln.Addr().String(), func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}
