package ws

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/certtest"
)

// onEachLine runs a test over plain TCP and over TLS, with a connection and its
// client.
func onEachLine(t *testing.T, test func(t *testing.T, client net.Conn, c *Conn)) {
	t.Run("plain", func(t *testing.T) {
		client, c := flushed(t)
		test(t, client, c)
	})
	t.Run("TLS", func(t *testing.T) {
		client, c := sealedLine(t)
		test(t, client, c)
	})
}

func onFlushers(l Line) *Conn { return New(l, Options{Queue: 64 << 20, Flushers: NewFlushers()}) }

// flushed returns a connection and its client, with small buffers between.
func flushed(t *testing.T) (client net.Conn, c *Conn) {
	t.Helper()
	client, plain := lineTo(t)
	return client, onFlushers(plain)
}

// sealedLine is flushed, over TLS.
func sealedLine(t *testing.T) (client *tls.Conn, c *Conn) {
	t.Helper()
	tcp, plain := lineTo(t)
	cert := certtest.New(t, 24*time.Hour)
	ours, theirs := tls.Server(&wire{line: plain}, cert.Server(t)), tls.Client(tcp, certtest.Client(cert))
	shaken := make(chan error, 1)
	go func() { shaken <- ours.Handshake() }()
	if err := errors.Join(theirs.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return theirs, onFlushers(newSealed(ours))
}

func lineTo(t *testing.T) (client net.Conn, server *line) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); accepted.Close() })
	for _, tcp := range []net.Conn{client, accepted} {
		_ = tcp.(*net.TCPConn).SetReadBuffer(32 << 10)
		_ = tcp.(*net.TCPConn).SetWriteBuffer(32 << 10)
	}
	raw, err := accepted.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return client, &line{accepted, raw}
}

// TLS holds a lock while it writes: a peer that reads nothing, and asks for new
// keys, makes nobody wait for it, and is given up.
func TestWritesBelowTLSDoNotWait(t *testing.T) {
	_, plain := lineTo(t)
	w := &wire{line: plain, upgraded: true}
	record := make([]byte, recordBytes)
	_ = plain.SetWriteDeadline(time.Now().Add(10 * time.Second)) // which a write that waits would meet
	for n := 0; ; n++ {
		_, err := w.Write(record)
		if errors.Is(err, errUnsent) {
			break
		}
		if err != nil || n > 1000 {
			t.Fatalf("after %d records: %v", n, err)
		}
	}
	if n := w.unsent(); n == 0 || n > maxUnsent {
		t.Errorf("%d bytes wait, at most %d may", n, maxUnsent)
	}
}

// TLS changes nothing of what is in a WebSocket.
func TestAutobahnCasesOverTLS(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t, 24*time.Hour)
	addr, client := echoing(t, cert.Server(t)), certtest.Client(cert)
	for _, c := range autobahnCases(t) {
		conn, err := tls.Dial("tcp", addr, client)
		if err != nil {
			t.Fatal(err)
		}
		if got, code := exchange(t, conn, c.frames, len(c.frames)); got != c.want || code != c.code {
			t.Errorf("case %s: %.60q and %d, want %.60q and %d", c.id, got, code, c.want, c.code)
		}
	}
}
