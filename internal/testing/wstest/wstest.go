// Package wstest has the frames of WebSockets by hand, wrong ones too.
package wstest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// Opcodes and bits of RFC 6455, section 5.2.
const (
	Text  = 0x1
	Close = 0x8
	Ping  = 0x9
	Pong  = 0xA
	Final = 0x80
)

// Frame is a frame of a client, masked with zeros, so that its payload can be
// read. length is what its head says.
func Frame(first byte, length uint64, payload string) []byte {
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

// Upgrade opens a WebSocket at /ws over a connection.
func Upgrade(t testing.TB, c net.Conn) {
	t.Helper()
	_, err := c.Write([]byte("GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 0, 256)
	for b := make([]byte, 1); !strings.HasSuffix(string(answer), "\r\n\r\n"); answer = append(answer, b[0]) {
		_ = c.SetReadDeadline(time.Now().Add(await.Limit))
		if _, err := c.Read(b); err != nil {
			t.Fatalf("the upgrade is answered %q: %v", answer, err)
		}
	}
}

// Got is a frame of a server.
type Got struct {
	First   byte // opcode and Final
	Payload []byte
}

// Read reads a frame of a server; io.EOF when the connection is over.
func Read(c net.Conn) (Got, error) {
	_ = c.SetReadDeadline(time.Now().Add(await.Limit))
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			err = io.EOF
		}
		return Got{}, err
	}
	n := int(head[1])
	switch n {
	case 126:
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return Got{}, err
		}
		n = int(binary.BigEndian.Uint16(size[:]))
	case 127:
		var size [8]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return Got{}, err
		}
		n = int(binary.BigEndian.Uint64(size[:]))
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(c, payload)
	return Got{head[0], payload}, err
}

// Code is the code of a close frame; 1005 for none, 0 for another frame.
func (g Got) Code() int {
	switch {
	case g.First != Final|Close:
		return 0
	case len(g.Payload) < 2:
		return 1005
	}
	return int(binary.BigEndian.Uint16(g.Payload))
}
