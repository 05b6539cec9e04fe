package connector

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Of RFC 6455, section 5.2.
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	final   = 0x80
)

// rawFrame is a frame of a client as RFC 6455 has it, masked with zeros, so that
// its payload can be read. length is what its head says.
func rawFrame(first byte, length uint64, payload string) []byte {
	b := []byte{first}
	switch {
	case length < 126:
		b = append(b, 0x80|byte(length))
	case length < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

func textOf(payload string) []byte { return rawFrame(final|opText, uint64(len(payload)), payload) }

// upgraded opens a WebSocket by hand.
func (r *edgeRig) upgraded() net.Conn {
	r.t.Helper()
	c := r.raw("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n")
	answer := make([]byte, 0, 256)
	for b := make([]byte, 1); !strings.HasSuffix(string(answer), "\r\n\r\n"); answer = append(answer, b[0]) {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(b); err != nil {
			r.t.Fatalf("the upgrade is answered %q: %v", answer, err)
		}
	}
	return c
}

// got is a frame from the server.
type got struct {
	opcode  byte
	payload []byte
}

// readFrame reads a frame of the server; io.EOF when the connection is over.
func readFrame(c net.Conn) (got, error) {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		if !isTimeout(err) {
			err = io.EOF
		}
		return got{}, err
	}
	n := int(head[1])
	switch n {
	case 126:
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return got{}, err
		}
		n = int(binary.BigEndian.Uint16(size[:]))
	case 127:
		var size [8]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return got{}, err
		}
		n = int(binary.BigEndian.Uint64(size[:]))
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(c, payload)
	return got{head[0], payload}, err
}

// codeOf is the code of a close frame; 1005 for none, 0 for another frame.
func (g got) codeOf() int {
	switch {
	case g.opcode != final|opClose:
		return 0
	case len(g.payload) < 2:
		return 1005
	}
	return int(binary.BigEndian.Uint16(g.payload))
}

// What is wrong with a frame closes with the code that RFC 6455 names, and is
// not echoed; what came before it is answered.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t)
	hello := string(textOf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"ada"}}`))
	ping := rawFrame(final|opPing, 1, "p")
	for name, c := range map[string]struct {
		frames string
		code   int
	}{
		"2^63":                    {string(rawFrame(final|opText, 1<<63, "x")), 1009},
		"2^64-1":                  {string(rawFrame(final|opText, 1<<64-1, "x")), 1009},
		"2^63-1":                  {string(rawFrame(final|opText, 1<<63-1, "x")), 1009},
		"2^63 in a continuation":  {string(rawFrame(opText, 1, "x")) + string(rawFrame(final, 1<<63, "x")), 1009},
		"2^63-1 twice":            {string(rawFrame(opText, 2, "xx")) + string(rawFrame(final, 1<<63-1, "x")), 1009},
		"one more than the limit": {string(rawFrame(final|opText, 64<<10+1, "x")), 1009},
		"a close frame of one":    {string(rawFrame(final|opClose, 1, "x")), 1002},
		"a close frame of none":   {string(rawFrame(final|opClose, 0, "")), 1005},
		"a close frame of two":    {string(rawFrame(final|opClose, 2, "\x03\xe8")), 1000},
		"a code that is not one":  {string(rawFrame(final|opClose, 2, "\x03\xec")), 1002},
	} {
		for _, split := range []bool{false, true} {
			conn := r.upgraded()
			whole := hello + string(ping) + c.frames
			if !split {
				_, _ = conn.Write([]byte(whole))
			} else {
				go func() {
					for i := range len(whole) { // byte by byte
						if _, err := conn.Write([]byte{whole[i]}); err != nil {
							return
						}
						if i > len(hello) {
							time.Sleep(time.Millisecond)
						}
					}
				}()
			}
			var frames []got
			for {
				f, err := readFrame(conn)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s, split %v: %v", name, split, err)
					}
					break
				}
				frames = append(frames, f)
			}
			var text, pong, code int
			for _, f := range frames {
				switch f.opcode {
				case final | opText:
					text++
				case final | 0xA:
					pong++
				default:
					code = f.codeOf()
				}
			}
			if text != 1 || pong != 1 || code != c.code || len(frames) != 3 {
				t.Errorf("%s, split %v: %d answers, %d pongs, %d frames, close code %d, want %d", name, split, text, pong, len(frames), code, c.code)
			}
		}
	}
}
