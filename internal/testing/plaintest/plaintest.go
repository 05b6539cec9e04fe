// Package plaintest sends HTTP by the byte, for tests of what servers do with
// requests that no client library would send.
package plaintest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// Send opens a connection to an address, from an address of this machine or ""
// for any, and sends text.
func Send(t testing.TB, from, to, text string) net.Conn {
	t.Helper()
	var d net.Dialer
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.DialContext(t.Context(), "tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// Status waits for an answer and reads its status; 0: there is none.
func Status(c net.Conn) int {
	_ = c.SetReadDeadline(time.Now().Add(await.Limit))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
