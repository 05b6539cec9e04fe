package pomelo

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/parley-chat/parley/internal/testing/pomelotest"
)

// Whatever a client sends is read or refused: a request that is read has a route
// and an object in UTF-8, and its answer carries its id.
func FuzzPackage(f *testing.F) {
	for _, seed := range []string{
		pomelotest.Greeting(""), pomelotest.Greeting(`{"token":"x"}`), pomelotest.Package(2, ""), pomelotest.Package(3, ""), pomelotest.Package(5, "{}"), pomelotest.Request(1, "a.b", `{"a":1}`), pomelotest.Package(4, "\x02\x03a.b{}"),
		pomelotest.Package(4, "\x00\xac\x02\x03a.b{\"m\":\"\xed\xa0\xbd\xed\xb8\x80\"}"), pomelotest.Package(4, "\x01\x01\x00\x03{}"), pomelotest.Package(4, "\x10\x01\x01a{}"), "\x04\xff\xff\xff", "\x01", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, body, err := parse(b, testFrame)
		switch {
		case err != nil:
			return
		case k == handshake:
			h, ok := parseHandshake(body)
			if ok && h.User != nil && (!json.Valid(h.User) || !utf8.Valid(h.User)) {
				t.Errorf("the user of %q is %q", body, h.User)
			}
			return
		case k != data:
			return
		}
		r, bad, err := parseMessage(body)
		if err != nil || bad != nil {
			return
		}
		if r.Route == "" || !utf8.ValidString(r.Route) || !isObject(r.Body) || !json.Valid(r.Body) || !utf8.Valid(r.Body) || len(r.ID) > maxID {
			t.Errorf("%q is read as %+v", body, r)
		}
		answer := Bare.AppendResponse(nil, r.ID, func(b []byte) []byte { return append(b, r.Body...) })
		if !bytes.HasPrefix(answer[headBytes+1:], r.ID) {
			t.Errorf("the answer to id %x is %x", r.ID, answer)
		}
	})
}

// What is written has nothing above U+FFFF, and means the same.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "€", "😀", "a😀b😀", "\U0010ffff", "\uffff\U00010000", "\ufffd\\\"\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		plain, err := json.Marshal(map[string]string{"m": s})
		if err != nil {
			t.Skip()
		}
		before := []byte("\xf0 stays")
		escaped := escape(append(bytes.Clone(before), plain...), len(before))
		if !bytes.HasPrefix(escaped, before) {
			t.Fatalf("what comes before is %q", escaped)
		}
		var was, is map[string]string
		if json.Unmarshal(plain, &was) != nil || json.Unmarshal(escaped[len(before):], &is) != nil || was["m"] != is["m"] {
			t.Errorf("%q becomes %q", plain, escaped)
		}
		for _, r := range string(escaped[len(before):]) {
			if r > 0xffff {
				t.Errorf("%q has %q", escaped, r)
			}
		}
	})
}

// Text as the JavaScript client writes it is read as what it means.
func FuzzJoin(f *testing.F) {
	for _, seed := range []string{"", "a", "é", "€", "😀", "a😀b", "\U0010ffff\U00010000", "\ufffd", "\xed\xa0\xbd", "\xed\xa0\xbd\xed\xb8\x80", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if joined, ok := join(b); ok && !utf8.Valid(joined) {
			t.Errorf("%x is read as %x", b, joined)
		}
		if !utf8.Valid(b) {
			return
		}
		joined, ok := join(cesu(string(b)))
		if !ok || !bytes.Equal(joined, b) {
			t.Errorf("%q comes back as %q, %v", b, joined, ok)
		}
	})
}

// cesu is text as the JavaScript client writes it: by UTF-16 units.
func cesu(s string) (b []byte) {
	for _, r := range s {
		if r <= 0xffff {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, u := range []rune{0xd800 + (r-0x10000)>>10, 0xdc00 + (r-0x10000)&0x3ff} {
			b = append(b, 0xe0|byte(u>>12), 0x80|byte(u>>6&0x3f), 0x80|byte(u&0x3f))
		}
	}
	return b
}
