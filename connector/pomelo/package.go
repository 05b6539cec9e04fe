package pomelo

import "errors"

// kind is what a package is.
type kind byte

const (
	handshake kind = 1
	ack       kind = 2
	heartbeat kind = 3
	data      kind = 4
	kick      kind = 5
)

// headBytes is what comes before the body of a package: its kind, and how long the
// body is.
const headBytes = 4

var (
	errKind   = errors.New("a package of an unknown kind")
	errLength = errors.New("a package that is longer or shorter than it says")
	errLarge  = errors.New("a package that is too large")
)

// head reads the head of a package. limit bounds the whole package.
func head(b [headBytes]byte, limit int) (k kind, body int, err error) {
	k, body = kind(b[0]), int(b[1])<<16|int(b[2])<<8|int(b[3])
	switch {
	case k < handshake || k > data: // a kick from a client is none
		return 0, 0, errKind
	case headBytes+body > limit:
		return 0, 0, errLarge
	}
	return k, body, nil
}

// parse reads a package that is all of b.
func parse(b []byte, limit int) (k kind, body []byte, err error) {
	if len(b) < headBytes {
		return 0, nil, errLength
	}
	k, n, err := head([headBytes]byte(b), limit)
	if err == nil && n != len(b)-headBytes {
		err = errLength
	}
	return k, b[headBytes:], err
}

// appendPackage appends a package whose body write appends.
func appendPackage(b []byte, k kind, write func([]byte) []byte) []byte {
	start := len(b)
	b = append(b, byte(k), 0, 0, 0)
	if write != nil {
		b = write(b)
	}
	n := len(b) - start - headBytes
	b[start+1], b[start+2], b[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}
