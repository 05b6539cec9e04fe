package ws

import "testing"

// The heads of frames are found wherever reads are cut, and what is refused does
// not depend on that.
func FuzzFrameHeads(f *testing.F) {
	for _, seed := range []string{
		frame(fin|text, greeting) + bye, pieces(mixed, 3), frame(fin|opClose, "x"), "\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", "\x81\xfe\x00\x05\x00\x00\x00\x00hello", "\x81\xff", "\x81",
	} {
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8) {
		var whole, parts frameHeads
		good, err := whole.check(stream)
		if good < 0 || good > len(stream) || err == nil && good != len(stream) {
			t.Fatalf("%x: %d are good, %v", stream, good, err)
		}
		size := int(cut) + 1
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			if _, wrong := parts.check(rest[:n]); wrong != nil {
				if wrong != err {
					t.Errorf("%x in pieces of %d: %v, in one %v", stream, size, wrong, err)
				}
				return
			}
			rest = rest[n:]
		}
		if err != nil {
			t.Errorf("%x in pieces of %d is fine, in one %v", stream, size, err)
		}
	})
}
