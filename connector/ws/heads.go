package ws

import (
	"encoding/binary"
	"errors"
)

var (
	errCloseByte = errors.New("a close frame of one byte")
	errLength    = errors.New("a frame of 2^63 bytes or more")
	errForm      = errors.New("a length in more bytes than it takes")
)

// frameHeads follows a stream of frames from head to head (RFC 6455, section
// 5.2) and finds what gorilla/websocket lets pass: it takes a close frame of
// one byte, half of a code, for an empty one, and lengths in more bytes than they
// take, and cuts lengths of 2^63 and more without a close frame.
type frameHeads struct {
	skip uint64 // bytes of masking key and payload until the next head
	head [10]byte
	have int // bytes of head
}

// check reads on. With an error it returns how many bytes come before the frame
// that is at fault, or before what of it is in b.
func (f *frameHeads) check(b []byte) (good int, err error) {
	for good < len(b) && err == nil {
		var n int
		n, err = f.frame(b[good:])
		good += n
	}
	return good, err
}

// frame is check to the end of a frame at most.
func (f *frameHeads) frame(b []byte) (n int, err error) {
	head := 0
	for n < len(b) {
		if f.skip > 0 {
			payload := min(f.skip, uint64(len(b)-n))
			f.skip -= payload
			n += int(payload)
		} else {
			if f.have == 0 {
				head = n
			}
			f.head[f.have] = b[n]
			f.have++
			n++
			if err := f.next(); err != nil {
				return head, err
			}
		}
		if f.have == 0 && f.skip == 0 {
			return n, nil
		}
	}
	return n, nil
}

// next looks at the head as far as it has been read.
func (f *frameHeads) next() error {
	if f.have < 2 {
		return nil
	}
	size, length := 2, uint64(f.head[1]&0x7f)
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if f.have < size {
		return nil
	}
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 10:
		length = binary.BigEndian.Uint64(f.head[2:])
	}
	f.have = 0
	if length >= 1<<63 {
		return errLength
	}
	if size == 4 && length < 126 || size == 10 && length < 1<<16 {
		return errForm
	}
	if f.head[0]&0x0f == opClose && length == 1 {
		return errCloseByte
	}
	if f.skip = length; f.head[1]&0x80 != 0 {
		f.skip += 4
	}
	return nil
}
