package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// raw is a WebSocket client that costs next to nothing: the load generator
// shares the machine with what it measures. It does no more of RFC 6455 than
// Parley's frames need.
type raw struct {
	conn net.Conn
	in   *bufio.Reader

	mu  sync.Mutex // guards writes
	out []byte

	lines bool   // a frame holds messages, one a line, and an empty one is a ping
	rest  []byte // of the frame that is read
}

func dialRaw(addr, user string) (*raw, error) {
	r, err := dialFrom("", addr)
	if err != nil {
		return nil, err
	}
	_, err = r.call(hello(user))
	return r, err
}

func hello(user string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"` + user + `"}}`
}

// errStatus is the answer to an upgrade that is refused.
type errStatus int

func (e errStatus) Error() string { return fmt.Sprintf("the upgrade is answered with %d", int(e)) }

// dialFrom opens a WebSocket from an address of this machine; "": any.
func dialFrom(local, addr string) (*raw, error) { return dialPath(local, addr, "/ws") }

func dialPath(local, addr, path string) (*raw, error) {
	conn, err := dialTCP(local, addr)
	if err != nil {
		return nil, err
	}
	const upgrade = "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	r := &raw{conn: conn, in: bufio.NewReaderSize(conn, 4096)}
	_ = conn.SetDeadline(time.Now().Add(dialPatience))
	if _, err = fmt.Fprintf(conn, upgrade, path, addr); err == nil {
		err = r.upgraded()
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return r, conn.SetDeadline(time.Time{})
}

const dialPatience = 20 * time.Second

func dialTCP(local, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialPatience}
	if local != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	return d.Dial("tcp", addr)
}

func (r *raw) upgraded() error {
	response, err := http.ReadResponse(r.in, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return errStatus(response.StatusCode)
	}
	return nil
}

// call sends a request and reads up to its response, id 1.
func (r *raw) call(request string) ([]byte, error) {
	if err := r.send(request); err != nil {
		return nil, err
	}
	for {
		frame, err := r.next()
		if err != nil {
			return nil, err
		}
		if bytes.Contains(frame, []byte(`"id":1,`)) {
			if bytes.Contains(frame, []byte(`"error":`)) {
				return nil, errors.New(string(frame))
			}
			return frame, nil
		}
	}
}

// send writes one text frame, masked with zeros.
func (r *raw) send(payload string) error { return r.write(0x1, payload) }

func (r *raw) write(op byte, payload string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := append(r.out[:0], 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	default:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	}
	b = append(b, 0, 0, 0, 0)
	r.out = append(b, payload...)
	_, err := r.conn.Write(r.out)
	return err
}

// next reads one message; what it returns lasts until the next call.
func (r *raw) next() (message []byte, err error) {
	if !r.lines {
		return r.frame()
	}
	for {
		if len(r.rest) == 0 {
			if r.rest, err = r.frame(); err != nil {
				return nil, err
			}
		}
		message, r.rest, _ = bytes.Cut(r.rest, []byte("\n"))
		if string(message) != "{}" {
			return message, nil
		}
		if err := r.send("{}"); err != nil {
			return nil, err
		}
	}
}

func (r *raw) frame() ([]byte, error) {
	for {
		op, n, err := r.header()
		if err != nil {
			return nil, err
		}
		if n > r.in.Size() {
			r.in = bufio.NewReaderSize(r.in, n)
		}
		frame, err := r.in.Peek(n)
		if err != nil {
			return nil, err
		}
		_, _ = r.in.Discard(n)
		switch op {
		case 0x1, 0x2:
			return frame, nil
		case 0x8:
			return nil, fmt.Errorf("closed: %q", frame)
		case 0x9:
			if err := r.write(0xa, string(frame)); err != nil {
				return nil, err
			}
		}
	}
}

func (r *raw) header() (op byte, n int, err error) {
	h, err := r.in.Peek(2)
	if err != nil {
		return 0, 0, err
	}
	op, n = h[0]&0x0f, int(h[1])
	skip := 2
	switch n {
	case 126:
		if h, err = r.in.Peek(4); err != nil {
			return 0, 0, err
		}
		n, skip = int(binary.BigEndian.Uint16(h[2:])), 4
	case 127:
		if h, err = r.in.Peek(10); err != nil {
			return 0, 0, err
		}
		n, skip = int(binary.BigEndian.Uint64(h[2:])), 10
	}
	_, err = r.in.Discard(skip)
	return op, n, err
}

var began = time.Now()

// stampedChat is a chat whose body begins with the time it was sent.
func stampedChat(channel string, size int) string {
	return `{"jsonrpc":"2.0","id":2,"method":"chat","params":{"channel":"` + channel + `","body":"` + stamped(size) + `"}}`
}

// stamped is a body that begins with the time.
func stamped(size int) string {
	stamp := fmt.Sprintf("%016d", time.Since(began))
	return stamp + strings.Repeat("x", max(0, size-len(stamp)))
}
