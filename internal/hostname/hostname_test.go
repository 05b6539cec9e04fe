package hostname_test

import (
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/hostname"
)

func TestNamesAreReadAsBrowsersDo(t *testing.T) {
	for text, want := range map[string]string{
		"box": "box", "Chat.Example.": "chat.example", "bücher.example": "xn--bcher-kva.example", "chat_web": "chat_web",
		"r3---sn.example": "r3---sn.example", "127.0.0.1": "127.0.0.1", "[::1]": "::1", "0:0::1": "::1", "::ffff:10.0.0.1": "10.0.0.1", "1.2.3.com": "1.2.3.com",
		"": "", ".": "", "*": "", "*.example.com": "", "[": "", "[::1": "", "::1]": "", "[127.0.0.1]": "", "[a]": "", "a,b": "", "-": "", "a-.b": "",
		"..": "", "a..b": "", ".a": "", "a..": "", "1.2.3": "", "0x7f": "", "256.1.1.1": "", "a b": "", "u:pw@host": "", "a/b": "", "a%b": "", "fe80::1%eth0": "",
		strings.Repeat("a", 64): "", strings.Repeat("a.", 127) + "abc": "", "a\u200db": "", "\x89": "", "a。b": "a.b",
	} {
		got, err := hostname.Canonical(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
}

// What is read once is the same when it is read again.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"box", "BÜCHER.", "[::1]", "1.2.3", "a。b", "xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := hostname.Canonical(text)
		if err != nil {
			return
		}
		if again, err := hostname.Canonical(name); again != name || err != nil {
			t.Errorf("%q is %q, which is %q (%v)", text, name, again, err)
		}
	})
}
