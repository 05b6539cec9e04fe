package embedded

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// pipeBytes is how much one direction of a connection within the process
	// holds that was written and not yet read.
	pipeBytes = 64 << 10
	// pipeKept is how much of that memory an empty direction keeps.
	pipeKept = 16 << 10
)

// localAddr is the address of both ends of a connection within the process.
var localAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}

// newPipe returns the two ends of a connection within the process. They do what
// those of a TCP connection do, deadlines included: what was written before a
// Close is still read, and writing waits while the other end reads too little.
func newPipe() (client, server net.Conn) {
	up, down := newFlow(), newFlow()
	return &pipeEnd{in: down, out: up}, &pipeEnd{in: up, out: down}
}

// pipeEnd is one end of such a connection. It is safe for concurrent use.
type pipeEnd struct {
	in, out *flow
	writing sync.Mutex // held by the one whose bytes are being written
}

// Read implements net.Conn.
func (e *pipeEnd) Read(p []byte) (int, error) { return e.in.read(p) }

// Write implements net.Conn.
func (e *pipeEnd) Write(p []byte) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	return e.out.write(p)
}

// Close implements net.Conn.
func (e *pipeEnd) Close() error {
	e.in.end(&e.in.readerGone)
	e.out.end(&e.out.writerGone)
	return nil
}

// LocalAddr implements net.Conn.
func (e *pipeEnd) LocalAddr() net.Addr { return localAddr }

// RemoteAddr implements net.Conn.
func (e *pipeEnd) RemoteAddr() net.Addr { return localAddr }

// SetDeadline implements net.Conn.
func (e *pipeEnd) SetDeadline(t time.Time) error {
	if err := e.SetReadDeadline(t); err != nil {
		return err
	}
	return e.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (e *pipeEnd) SetReadDeadline(t time.Time) error { return e.in.setDeadline(&e.in.readBy, t) }

// SetWriteDeadline implements net.Conn.
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { return e.out.setDeadline(&e.out.writeBy, t) }

// flow is one direction of a connection.
type flow struct {
	mu      sync.Mutex // guards what follows
	changed sync.Cond  // of mu: bytes, room, an end or a deadline
	buf     []byte     // written and not read, from position next on
	next    int

	readerGone, writerGone bool
	readBy, writeBy        time.Time
}

func newFlow() *flow {
	f := &flow{}
	f.changed.L = &f.mu
	return f
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.readerGone:
			return 0, net.ErrClosed
		case over(f.readBy):
			return 0, os.ErrDeadlineExceeded
		case f.next < len(f.buf):
			return f.take(p), nil
		case f.writerGone:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		f.wait(f.readBy)
	}
}

// take moves bytes to p. The caller holds the mutex.
func (f *flow) take(p []byte) int {
	full := len(f.buf)-f.next == pipeBytes
	n := copy(p, f.buf[f.next:])
	if f.next += n; f.next == len(f.buf) {
		f.buf, f.next = f.buf[:0], 0
		if cap(f.buf) > pipeKept {
			f.buf = nil
		}
	}
	if full {
		f.changed.Broadcast()
	}
	return n
}

func (f *flow) write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.writerGone:
			return n, net.ErrClosed
		case over(f.writeBy):
			return n, os.ErrDeadlineExceeded
		case f.readerGone:
			return n, io.ErrClosedPipe
		case n == len(p):
			return n, nil
		}
		if room := pipeBytes - (len(f.buf) - f.next); room > 0 {
			n += f.put(p[n:min(n+room, len(p))])
			continue
		}
		f.wait(f.writeBy)
	}
}

// put appends bytes for which there is room. The caller holds the mutex.
func (f *flow) put(p []byte) int {
	if f.next > 0 && len(f.buf)+len(p) > pipeBytes {
		f.buf = f.buf[:copy(f.buf, f.buf[f.next:])]
		f.next = 0
	}
	f.buf = append(f.buf, p...)
	f.changed.Broadcast()
	return len(p)
}

// wait waits for a change, or until the time where that is not zero. The caller
// holds the mutex.
func (f *flow) wait(until time.Time) {
	if !until.IsZero() {
		timer := time.AfterFunc(time.Until(until), func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.changed.Broadcast()
		})
		defer timer.Stop()
	}
	f.changed.Wait()
}

func (f *flow) setDeadline(which *time.Time, t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readerGone && which == &f.readBy || f.writerGone && which == &f.writeBy {
		return net.ErrClosed
	}
	*which = t
	f.changed.Broadcast()
	return nil
}

// end notes that a side is gone. What it will not read any more is dropped.
func (f *flow) end(which *bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*which = true
	if f.readerGone {
		f.buf, f.next = nil, 0
	}
	f.changed.Broadcast()
}

// over reports whether a deadline, zero for none, has passed.
func over(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}
