package embedded

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// sent is what a client has sent; it takes no answers.
type sent struct {
	io.Reader
	net.Conn
}

func (s sent) Read(p []byte) (int, error)    { return s.Reader.Read(p) }
func (sent) Write(p []byte) (int, error)     { return len(p), nil }
func (sent) SetReadDeadline(time.Time) error { return nil }

// A hello is found wherever the client's writes end, and has the same fields.
func FuzzHello(f *testing.F) {
	hello := []byte{0}
	for _, text := range []string{"client", "\x01\x02\x03", "db", "ada", "secret"} {
		if text[0] > 3 {
			hello = binary.AppendUvarint(hello, uint64(len(text)))
		}
		hello = append(hello, text...)
	}
	f.Add(hello)
	f.Add(hello[:9])
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := readHello(sent{Reader: bytes.NewReader(raw)})
		if (h == nil) != (err != nil) {
			t.Fatalf("%x: %+v, %v", raw, h, err)
		}
		if h == nil {
			return
		}
		slow, err := readHello(sent{Reader: oneByte{bytes.NewReader(raw)}})
		if err != nil || slow.user != h.user || slow.password != h.password || slow.database != h.database {
			t.Errorf("%x byte by byte: %+v, %v", raw, slow, err)
		}
	})
}

type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// Requests come to the broker as they were sent, up to the first that it must not
// see.
func FuzzBrokerFrames(f *testing.F) {
	frame := func(size uint32, kind, version int16, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, size)
		b = binary.BigEndian.AppendUint16(b, uint16(kind))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		return append(append(b, 0, 0, 0, 1), body...)
	}
	f.Add(append(frame(10, 18, 0, "\xff\xff"), frame(10, 3, 1, "\xff\xff")...), true)
	f.Add(frame(1<<31, 0, 9, ""), false)
	f.Add(frame(8, 30000, 0, ""), true)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, raw []byte, login bool) {
		c := &trackedConn{Conn: sent{Reader: bytes.NewReader(raw)}}
		if login {
			c.stranger = &stranger{}
		}
		seen, err := io.ReadAll(c)
		if !bytes.HasPrefix(raw, seen) {
			t.Fatalf("%x is read as %x", raw, seen)
		}
		most := uint32(maxRequest)
		if login {
			most = maxStrangersRequest
		}
		for rest := seen; len(rest) >= requestHead; {
			size := binary.BigEndian.Uint32(rest)
			if size > most || size < requestHead-requestSize {
				t.Fatalf("%x: the broker sees a request of %d bytes (%v)", raw, size, err)
			}
			rest = rest[min(len(rest), int(size)+requestSize):]
		}
	})
}
