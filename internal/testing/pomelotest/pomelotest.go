// Package pomelotest speaks pomelo's wire by the byte, over TCP and WebSockets,
// for tests of what servers do with what no client library would send.
package pomelotest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/wstest"
)

// Kinds of packages.
const (
	Handshake = 1
	Ack       = 2
	Heartbeat = 3
	Data      = 4
	Kick      = 5
)

// Package is a package of a kind.
func Package(kind byte, body string) string {
	n := len(body)
	return string([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n)}) + body
}

// Greeting is the package of a handshake whose user is JSON; "": none.
func Greeting(user string) string {
	if user != "" {
		user = `,"user":` + user
	}
	return Package(Handshake, `{"sys":{"type":"js-websocket","version":"0.0.1","rsa":{},"protoVersion":0}`+user+`}`)
}

// Request is the package of a request with an id of one byte.
func Request(id byte, route, body string) string {
	return Package(Data, string([]byte{0, id, byte(len(route))})+route+body)
}

// Client is one that a test drives.
type Client struct {
	net.Conn
	T      testing.TB
	framed bool
}

// Dial connects to an address: over a WebSocket, if framed, and over TLS, if there
// is a configuration of it.
func Dial(t testing.TB, addr string, framed bool, secure *tls.Config) *Client {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		c = tls.Client(c, secure)
	}
	t.Cleanup(func() { _ = c.Close() })
	if framed {
		wstest.Upgrade(t, c)
	}
	return &Client{c, t, framed}
}

// Work makes the handshake, and reads what that brings.
func (c *Client) Work(user string) *Client {
	c.T.Helper()
	c.Send(Greeting(user), Package(Ack, ""))
	c.Expect(`1{"code":200,"sys":{"heartbeat":25}}`, "3")
	return c
}

// Send sends packages, each in a frame where there are frames.
func (c *Client) Send(packages ...string) {
	c.T.Helper()
	for _, p := range packages {
		if _, err := c.Write(c.Bytes(p)); err != nil {
			c.T.Fatal(err)
		}
	}
}

// Bytes is a package as it goes on the wire.
func (c *Client) Bytes(p string) []byte {
	if c.framed {
		return wstest.Frame(wstest.Final|2, uint64(len(p)), p)
	}
	return []byte(p)
}

// Next is the next package, its kind as a digit and its body, or how the connection
// ends: "end", with the reason of the close frame if there is one, or "cut".
func (c *Client) Next() string {
	c.T.Helper()
	if c.framed {
		return c.nextFrame()
	}
	_ = c.SetReadDeadline(time.Now().Add(await.Limit))
	var head [4]byte
	_, err := io.ReadFull(c, head[:])
	body := make([]byte, int(head[1])<<16|int(head[2])<<8|int(head[3]))
	if err == nil {
		_, err = io.ReadFull(c, body)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.T.Fatal("nothing comes")
	case errors.Is(err, io.EOF):
		return "end"
	case err != nil:
		return "cut"
	}
	return string('0'+rune(head[0])) + string(body)
}

func (c *Client) nextFrame() string {
	c.T.Helper()
	f, err := wstest.Read(c.Conn)
	switch p := string(f.Payload); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.T.Fatal("nothing comes")
	case err != nil:
		return "cut"
	case f.First == wstest.Final|wstest.Ping:
		return c.nextFrame()
	case f.Code() != 0:
		return "end" + p[2:]
	case f.First != wstest.Final|2 || len(p) < 4 || p != Package(p[0], p[4:]):
		c.T.Fatalf("a frame %x with %q", f.First, p)
	default:
		return string('0'+rune(p[0])) + p[4:]
	}
	return ""
}

// Expect sees what comes next. Of what ends with a * only the beginning counts.
func (c *Client) Expect(all ...string) {
	c.T.Helper()
	for _, want := range all {
		got := c.Next()
		if start, open := strings.CutSuffix(want, "*"); got != want && (!open || !strings.HasPrefix(got, start)) {
			c.T.Fatalf("got %q, want %q", got, want)
		}
	}
}
