package pomelo

import (
	"unicode/utf16"
	"unicode/utf8"
)

const halfBytes = 3 // of half a surrogate pair, as clients encode it

// join returns text as UTF-8. The JavaScript client writes what is above U+FFFF
// as two surrogates of three bytes each (CESU-8), which are joined. It is false
// for text that is neither, or has half a pair.
func join(text []byte) ([]byte, bool) {
	if utf8.Valid(text) {
		return text, true
	}
	joined := make([]byte, 0, len(text))
	for len(text) > 0 {
		if r := pair(text); r != utf8.RuneError {
			joined, text = utf8.AppendRune(joined, r), text[2*halfBytes:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			return nil, false
		}
		joined, text = append(joined, text[:n]...), text[n:]
	}
	return joined, true
}

// pair is the character that two surrogates at the beginning of text make;
// utf8.RuneError: there are none.
func pair(text []byte) rune {
	if len(text) < 2*halfBytes || text[0] != 0xed || text[3] != 0xed {
		return utf8.RuneError
	}
	return utf16.DecodeRune(half(text), half(text[halfBytes:]))
}

// half decodes a sequence of three bytes; utf8.RuneError: they are not one.
func half(b []byte) rune {
	if b[1]&0xc0 != 0x80 || b[2]&0xc0 != 0x80 {
		return utf8.RuneError
	}
	return rune(b[0]&0x0f)<<12 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f)
}

const hexDigits = "0123456789abcdef"

// escape rewrites the JSON from start on so that nothing in it is above U+FFFF:
// decoders of clients know no sequences of four bytes.
func escape(b []byte, start int) []byte {
	i := start
	for i < len(b) && b[i] < 0xf0 {
		i++
	}
	if i == len(b) {
		return b
	}
	rest := string(b[i:])
	b = b[:i]
	for _, r := range rest {
		switch {
		case r == utf8.RuneError || r <= 0xffff:
			b = utf8.AppendRune(b, r)
		default:
			high, low := utf16.EncodeRune(r)
			b = appendUnit(appendUnit(b, high), low)
		}
	}
	return b
}

func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
