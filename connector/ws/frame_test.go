package ws

import (
	"bytes"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		f := TextFrame(make([]byte, n))
		head := map[bool]int{true: 2, false: 4}[n < 126]
		if n > 65535 {
			head = 10
		}
		in := AppendText([]byte("before"), func(b []byte) []byte { return append(b, bytes.Repeat([]byte{'x'}, n)...) })
		if want := append([]byte("before"), TextFrame(bytes.Repeat([]byte{'x'}, n))...); !bytes.Equal(in, want) {
			t.Errorf("a payload of %d bytes, written in place, is %.20q", n, in)
		}
		if len(f) != n+head || f[0] != 0x81 {
			t.Errorf("a payload of %d bytes makes a frame of %d, first byte %#x", n, len(f), f[0])
		}
	}
}
