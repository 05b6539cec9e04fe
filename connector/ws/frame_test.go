package ws

import (
	"bytes"
	"slices"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		f := TextFrame(make([]byte, n))
		head := map[bool]int{true: 2, false: 4}[n < 126]
		if n > 65535 {
			head = 10
		}
		payload := bytes.Repeat([]byte{'x'}, n)
		want := append([]byte("before"), TextFrame(payload)...)
		for name, write := range map[string]func([]byte) []byte{
			"with room after it": func(b []byte) []byte { return append(b, payload...) },
			"without":            func(b []byte) []byte { return slices.Clip(append(b, payload...)) },
		} {
			if in := AppendText([]byte("before"), write); !bytes.Equal(in, want) {
				t.Errorf("a payload of %d bytes, written in place %s, is %.20q", n, name, in)
			}
		}
		if len(f) != n+head || f[0] != 0x81 {
			t.Errorf("a payload of %d bytes makes a frame of %d, first byte %#x", n, len(f), f[0])
		}
	}
}
