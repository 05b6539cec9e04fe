package embedded

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/parley-chat/parley/internal/testing/await"
)

// A connection within the process does what Go's own test of connections asks.
func TestPipeIsAConnection(t *testing.T) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		a, b := newPipe()
		return a, b, func() { _, _ = a.Close(), b.Close() }, nil
	})
}

// What was written before the end is read, then comes the end.
func TestPipeIsReadToItsEnd(t *testing.T) {
	a, b := newPipe()
	if _, err := a.Write([]byte("all of it")); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != "all of it" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("writing to one that is gone: %v", err)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a deadline after Close: %v", err)
	}
}

// A writer may be 64 KiB ahead of its reader, and then waits, for as long as its
// deadline allows; an empty connection keeps little memory.
//
//parley:bound a connection to the embedded broker within its process
func TestPipeIsBounded(t *testing.T) {
	a, b := newPipe()
	for range 3 { // wherever the bytes begin
		n, err := writeUntilFull(t, a, b)
		if n != pipeBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d bytes were written, %v", n, err)
		}
		if held := cap(b.(*pipeEnd).in.buf); held > 2*pipeBytes {
			t.Errorf("they are kept in %d bytes", held)
		}
		if n, err := io.ReadFull(b, make([]byte, pipeBytes-1)); err != nil {
			t.Fatalf("%d bytes were read, %v", n, err)
		}
		if err := a.SetWriteDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Write(make([]byte, pipeBytes-1)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(b, make([]byte, pipeBytes)); err != nil {
			t.Fatal(err)
		}
		if kept := cap(b.(*pipeEnd).in.buf); kept > pipeKept {
			t.Errorf("an empty one keeps %d bytes", kept)
		}
	}
}

// writeUntilFull writes more than there is room for, with a deadline that passes once
// there is no room left, and returns what Write did.
func writeUntilFull(t *testing.T, a, b net.Conn) (n int, err error) {
	t.Helper()
	written := make(chan struct{})
	go func() {
		defer close(written)
		n, err = a.Write(make([]byte, 1<<20))
	}()
	await.That(t, "there is no room left", func() bool {
		in := b.(*pipeEnd).in
		in.mu.Lock()
		defer in.mu.Unlock()
		return len(in.buf)-in.next == pipeBytes
	})
	if err := a.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	<-written
	return n, err
}

// Those who write at the same time do not get into each other's bytes.
func TestPipeWritesAreWhole(t *testing.T) {
	a, b := newPipe()
	const each = 3*pipeBytes + 1
	var writers sync.WaitGroup
	for _, text := range []string{"a", "b", "c"} {
		writers.Go(func() {
			if _, err := a.Write(bytes.Repeat([]byte(text), each)); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		got := make([]byte, each)
		if _, err := io.ReadFull(b, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, bytes.Repeat(got[:1], each)) {
			t.Fatal("the bytes of two writers are mixed")
		}
	}
	writers.Wait()
}
