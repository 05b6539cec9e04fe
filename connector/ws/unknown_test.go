package ws

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A connection that is not HTTP looks closed to net/http, and is handed on once,
// with what was read of it and without the deadlines of requests.
func TestHandedOn(t *testing.T) {
	client, plain := lineTo(t)
	var got Line
	var first string
	times := 0
	u := &unknown{Conn: plain, plain: plain, raw: func(l Line, b []byte) { got, first, times = l, string(b), times+1 }}
	if _, err := client.Write([]byte("\x01ab")); err != nil {
		t.Fatal(err)
	}
	if n, err := u.Read(make([]byte, 100)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("net/http reads %d bytes, %v", n, err)
	}
	_ = u.SetDeadline(time.Now().Add(-time.Second))
	for range 2 {
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got != Line(plain) || first != "\x01ab" || times != 1 {
		t.Fatalf("%v is handed on, with %q, %d times", got, first, times)
	}
	if _, err := client.Write([]byte("c")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := got.Read(b); err != nil || b[0] != 'c' {
		t.Errorf("then %q comes, %v", b, err)
	}
	if n, err := got.TryWrite([]byte("d")); n != 1 || err != nil {
		t.Errorf("%d bytes are written, %v", n, err)
	}
}

// One that is HTTP is net/http's, and so is one on which nothing came.
func TestNotHandedOn(t *testing.T) {
	for _, sent := range []string{"GET / HTTP/1.1\r\n", ""} {
		client, plain := lineTo(t)
		u := &unknown{Conn: plain, plain: plain, raw: func(Line, []byte) { t.Error("handed on") }}
		if _, err := client.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		if sent != "" {
			b := make([]byte, 100)
			if n, err := u.Read(b); string(b[:n]) != sent || err != nil {
				t.Errorf("%q is read as %q, %v", sent, b[:n], err)
			}
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the connection is not closed: %v", err)
		}
	}
}
