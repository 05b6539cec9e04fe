package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxHello is above the size of any first packet, in bytes.
const maxHello = 4096

// hello is the first packet of a client of ClickHouse's native protocol.
type hello struct {
	raw                      []byte // what was read, which may go beyond the packet
	database, user, password string
}

var errNotClickHouse = errors.New("the client does not speak ClickHouse's native protocol")

// webAnswer is what HTTP at this port is answered with, in ClickHouse's words.
const webAnswer = "HTTP/1.0 400 Bad Request\r\n\r\nThis port is for clickhouse-client program\r\n"

// readHello reads until the first packet is complete.
func readHello(client io.ReadWriter) (*hello, error) {
	buf := make([]byte, 0, maxHello)
	for {
		n, err := client.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) > 0 && buf[0] != 0 {
			_, _ = client.Write(strangersAnswer(buf[0])) // the client may be gone
			return nil, errNotClickHouse
		}
		if h := parseHello(buf); h != nil {
			return h, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			return nil, errNotClickHouse
		}
	}
}

// strangersAnswer is what ClickHouse answers to a first byte that is not a
// hello's: one of HTTP, or of TLS, whose clients see by it that this is a plain
// port.
func strangersAnswer(first byte) []byte {
	if first == 'G' || first == 'P' || first == 'H' || first == 'O' {
		return []byte(webAnswer)
	}
	return (&refusal{101, "Unexpected packet from client"}).packet()
}

// parseHello reads kind 0, the program's name, three version numbers, database,
// user and password; nil when some of it is not there yet.
func parseHello(buf []byte) *hello {
	r := bytes.NewReader(buf)
	text := func() (string, bool) {
		n, err := binary.ReadUvarint(r)
		if err != nil || n > uint64(r.Len()) {
			return "", false
		}
		s := make([]byte, n)
		_, err = io.ReadFull(r, s)
		return string(s), err == nil
	}
	number := func() bool { _, err := binary.ReadUvarint(r); return err == nil }
	if !number() {
		return nil
	}
	if _, ok := text(); !ok || !number() || !number() || !number() {
		return nil
	}
	h := &hello{raw: buf}
	for _, field := range []*string{&h.database, &h.user, &h.password} {
		var ok bool
		if *field, ok = text(); !ok {
			return nil
		}
	}
	return h
}

// refusal is an exception that ClickHouse would answer.
type refusal struct {
	code int32
	says string
}

func (r *refusal) Error() string { return fmt.Sprintf("code %d: %s", r.code, r.says) }

// packet is the exception in the native protocol.
func (r *refusal) packet() []byte {
	out := binary.LittleEndian.AppendUint32([]byte{2}, uint32(r.code))
	for _, s := range []string{"DB::Exception", "DB::Exception: " + r.says, ""} {
		out = append(binary.AppendUvarint(out, uint64(len(s))), s...)
	}
	return append(out, 0) // no nested one
}
