package ws

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// sendBuffer is what the kernel keeps of what a client has not taken. Left to
// itself it grows to several megabytes and asks for more only when a third is
// free, which takes a client of 64 KiB/s longer than writeTimeout.
const sendBuffer = 256 << 10

// Listener accepts connections that an [Upgrader] can upgrade.
type Listener struct {
	net.Listener
	TLS *tls.Config // nil: they are not encrypted

	raw      func(l Line, first []byte) // takes what is not HTTP; nil: everything is
	unshaken func()                     // called, with raw, when a TLS handshake failed; nil: nothing to do
}

// Accept implements net.Listener. Whoever reads from a connection over TLS first
// makes its handshake.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer)
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	plain := &line{c, raw}
	switch {
	case l.TLS == nil && l.raw == nil:
		return plain, nil
	case l.TLS == nil:
		return &unknown{Conn: plain, plain: plain, raw: l.raw}, nil
	}
	secure := tls.Server(&wire{line: plain}, l.TLS)
	if l.raw == nil {
		return secure, nil
	}
	return &unknown{Conn: secure, secure: secure, plain: plain, raw: l.raw, unshaken: l.unshaken}, nil
}

// taker hands the connection of a request to gorilla/websocket as a socket.
type taker struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (t taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	switch c := c.(type) {
	case *unknown:
		return &socket{Line: c.line()}, buffered, nil
	case *tls.Conn:
		return &socket{Line: newSealed(c)}, buffered, nil
	default:
		return &socket{Line: c.(*line)}, buffered, nil
	}
}
