package ws

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// unknown is a connection that may not be HTTP: its first byte tells, which is a
// letter there. So long it is in the hands of net/http, and within the bounds that
// hold for whoever connects. One that is something else looks closed to net/http,
// and is handed on when that has let go of it.
type unknown struct {
	net.Conn           // plain or secure
	secure   *tls.Conn // nil: without TLS
	plain    *line     // below it
	raw      func(l Line, first []byte)
	unshaken func() // nil: nothing to do

	known   bool // owned by net/http's reading goroutines, one after the other
	isOther atomic.Bool
	first   []byte // of something else
	handOn  sync.Once
}

// Read implements net.Conn.
func (u *unknown) Read(p []byte) (int, error) {
	if u.known {
		return u.Conn.Read(p)
	}
	if !u.shaken() {
		return 0, io.EOF
	}
	n, err := u.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	u.known = true
	if p[0] >= ' ' {
		return n, err
	}
	u.first = bytes.Clone(p[:n])
	u.isOther.Store(true)
	return 0, io.EOF
}

// shaken makes the handshake of TLS, if there is to be one, within the deadline
// that net/http has set.
func (u *unknown) shaken() bool {
	if u.secure == nil {
		return true
	}
	err := u.secure.HandshakeContext(context.Background())
	if err != nil && err != io.EOF && u.unshaken != nil { // who connects and leaves again has tried nothing
		u.unshaken()
	}
	return err == nil
}

// Close implements net.Conn.
func (u *unknown) Close() error {
	if !u.isOther.Load() {
		return u.Conn.Close()
	}
	u.handOn.Do(func() {
		_ = u.SetDeadline(time.Time{})
		u.raw(u.line(), u.first)
	})
	return nil
}

// NetConn is the connection itself, which is closed at once where TLS would wait.
func (u *unknown) NetConn() net.Conn { return u.plain }

// line is the connection for one who takes it over.
func (u *unknown) line() Line {
	if u.secure == nil {
		return u.plain
	}
	return newSealed(u.secure)
}

type secureKey struct{}

// connContext notes for requests that their connection is over TLS: net/http sees
// that of a *tls.Conn alone.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if u, is := c.(*unknown); is && u.secure != nil {
		return context.WithValue(ctx, secureKey{}, u.secure)
	}
	return ctx
}

// markSecure has a request over TLS look as net/http has it look.
func markSecure(r *http.Request) {
	if secure, is := r.Context().Value(secureKey{}).(*tls.Conn); is && r.TLS == nil {
		state := secure.ConnectionState()
		r.TLS = &state
	}
}
