package connector

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/wstest"
)

const (
	fin      = wstest.Final
	opBinary = 2
	// reserved bits of a frame's first byte
	rsv1, rsv2, rsv3 = 0x40, 0x20, 0x10
)

// frameOf is a masked frame of a payload.
func frameOf(first byte, payload string) string {
	return string(wstest.Frame(first, uint64(len(payload)), payload))
}

// headOf is the head of a frame in a form that a test chooses, without a payload.
func headOf(first, second byte, length ...byte) string {
	return string(append(append([]byte{first, second}, length...), 0, 0, 0, 0))
}

func wide(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// badFrames are frames that end a connection, and the code that they end it with.
type badFrames struct {
	name, frames string
	code         int
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

var opcodes = map[string]byte{"text": wstest.Text, "binary": opBinary, "close": wstest.Close, "ping": wstest.Ping, "pong": wstest.Pong, "continuation": 0}

func badBits() (all []badFrames) {
	for name, op := range opcodes {
		for _, rsv := range []byte{rsv1, rsv2, rsv3, rsv1 | rsv2, rsv1 | rsv3, rsv2 | rsv3, rsv1 | rsv2 | rsv3} {
			all = append(all, badFrames{fmt.Sprintf("%s with reserved bits %03b", name, rsv>>4), frameOf(fin|rsv|op, ""), 1002})
		}
		unmasked := string([]byte{fin | op, byte(2)}) + "{}"
		all = append(all, badFrames{name + " without a mask", unmasked, 1002})
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		all = append(all,
			badFrames{fmt.Sprintf("opcode %d", op), frameOf(fin|op, ping), 1002},
			badFrames{fmt.Sprintf("opcode %d, empty", op), frameOf(fin|op, ""), 1002},
			badFrames{fmt.Sprintf("opcode %d, not final", op), frameOf(op, ping), 1002},
			badFrames{fmt.Sprintf("opcode %d within a message", op), frameOf(wstest.Text, "{") + frameOf(fin|op, "}"), 1002})
	}
	return all
}

func badLengths() (all []badFrames) {
	for _, name := range []string{"close", "ping", "pong"} {
		op := opcodes[name]
		long := strings.Repeat("x", 126)
		all = append(all,
			badFrames{name + " in fragments", frameOf(op, "") + frameOf(fin, ""), 1002},
			badFrames{name + " of 126 bytes", frameOf(fin|op, long), 1002},
			badFrames{name + " of 65,536 bytes", frameOf(fin|op, strings.Repeat("x", 65536)), 1002},
			badFrames{name + " of 0 bytes in 2 bytes of length", headOf(fin|op, 0x80|126, 0, 0), 1002},
			badFrames{name + " of 0 bytes in 8 bytes of length", headOf(fin|op, 0x80|127, wide(0)...), 1002})
	}
	for name, length := range map[string]uint64{
		"2^63 bytes": 1 << 63, "2^64-1 bytes": 1<<64 - 1, "2^63-1 bytes": 1<<63 - 1, "2^32 bytes": 1 << 32, "2^31 bytes": 1 << 31, "65,537 bytes": 65537,
	} {
		all = append(all,
			badFrames{"text of " + name, headOf(fin|wstest.Text, 0x80|127, wide(length)...), 1009},
			badFrames{"a first fragment of " + name, headOf(wstest.Text, 0x80|127, wide(length)...), 1009},
			badFrames{"a second fragment of " + name, frameOf(wstest.Text, "{") + headOf(fin, 0x80|127, wide(length)...), 1009})
	}
	half := strings.Repeat("x", 32768)
	return append(all,
		badFrames{"fragments of 65,537 bytes", frameOf(wstest.Text, half) + frameOf(0, half) + frameOf(fin, "x"), 1009},
		badFrames{"5 bytes in 2 bytes of length", headOf(fin|wstest.Text, 0x80|126, 0, 5) + "hello", 1002},
		badFrames{"125 bytes in 2 bytes of length", headOf(fin|wstest.Text, 0x80|126, 0, 125) + strings.Repeat("x", 125), 1002},
		badFrames{"5 bytes in 8 bytes of length", headOf(fin|wstest.Text, 0x80|127, wide(5)...) + "hello", 1002},
		badFrames{"65,535 bytes in 8 bytes of length", headOf(fin|wstest.Text, 0x80|127, wide(65535)...), 1002},
		badFrames{"a short continuation in 2 bytes of length", frameOf(wstest.Text, "{") + headOf(fin, 0x80|126, 0, 1) + "}", 1002})
}

func badFragments() []badFrames {
	text, more, last := frameOf(wstest.Text, "{"), frameOf(0, " "), frameOf(fin, "}")
	return []badFrames{
		{"a continuation of nothing", last, 1002}, {"a first continuation of nothing", more, 1002}, {"an empty continuation of nothing", frameOf(fin, ""), 1002},
		{"a continuation after a whole message", frameOf(fin|wstest.Text, ping) + last, 1002}, {"a continuation after the last", text + last + last, 1002},
		{"text within text", text + frameOf(fin|wstest.Text, ping), 1002}, {"text fragments within text", text + text, 1002}, {"text within text, later", text + more + text, 1002},
		{"binary within text", text + frameOf(fin|opBinary, "x"), 1002}, {"empty text within text", text + frameOf(fin|wstest.Text, ""), 1002},
		{"a bad ping within text", text + frameOf(wstest.Ping, ""), 1002}, {"a continuation with reserved bits", text + frameOf(fin|rsv1, "}"), 1002},
		{"binary", frameOf(fin|opBinary, ping), 1003}, {"empty binary", frameOf(fin|opBinary, ""), 1003}, {"binary in fragments", frameOf(opBinary, "x") + last, 1003},
		{"binary after text", frameOf(fin|wstest.Text, ping) + frameOf(fin|opBinary, "x"), 1003},
		{"HTTP", "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 1002}, {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1002},
		{"text without a frame", "hello, is anybody there? " + ping, 1002}, {"zeros", strings.Repeat("\x00", 64), 1002}, {"ones", strings.Repeat("\xff", 64), 1009},
		{"Kafka", "\x00\x00\x00\x0e\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff", 1002},
	}
}

func badCloses() (all []badFrames) {
	closed := func(code int, reason string) string {
		return frameOf(fin|wstest.Close, string([]byte{byte(code >> 8), byte(code)})+reason)
	}
	for _, code := range []int{0, 1, 99, 500, 998, 999, 1004, 1005, 1006, 1015, 1016, 1017, 1099, 1100, 1500, 1999, 2000, 2001, 2500, 2999, 5000, 5001, 9999, 32767, 32768, 65534, 65535} {
		all = append(all, badFrames{fmt.Sprintf("close with %d", code), closed(code, ""), 1002}, badFrames{fmt.Sprintf("close with %d and a reason", code), closed(code, "because"), 1002})
	}
	all = append(all, badFrames{"close of one byte", frameOf(fin|wstest.Close, "\x03"), 1002}, badFrames{"close of 126 bytes", closed(1000, strings.Repeat("x", 124)), 1002})
	for name, sequence := range badText {
		all = append(all, badFrames{"close because of " + name, closed(1000, "a "+sequence), 1002})
	}
	return all
}

// badText is what UTF-8 does not allow.
var badText = map[string]string{
	"a continuation byte": "\x80", "the last continuation byte": "\xbf", "two continuation bytes": "\x80\xbf", "7 continuation bytes": "\x80\xbf\x80\xbf\x80\xbf\x80",
	"a start of 2": "\xc3", "a start of 3": "\xe2", "a start of 4": "\xf0", "2 of 3 bytes": "\xe2\x82", "2 of 4 bytes": "\xf0\x9f", "3 of 4 bytes": "\xf0\x9f\x98",
	"a start and a letter": "\xc3a", "2 of 3 and a letter": "\xe2\x82a", "3 of 4 and a letter": "\xf0\x9f\x98a", "two starts": "\xc3\xc3\xa4",
	"an overlong slash of 2": "\xc0\xaf", "an overlong slash of 3": "\xe0\x80\xaf", "an overlong slash of 4": "\xf0\x80\x80\xaf", "an overlong quote": "\xc0\xa2", "an overlong NUL": "\xc0\x80",
	"an overlong NUL of 3": "\xe0\x80\x80", "an overlong DEL": "\xc1\xbf", "the last overlong of 3": "\xe0\x9f\xbf", "the last overlong of 4": "\xf0\x8f\xbf\xbf",
	"a high surrogate": "\xed\xa0\x80", "the last high surrogate": "\xed\xaf\xbf", "a low surrogate": "\xed\xb0\x80", "the last low surrogate": "\xed\xbf\xbf", "a pair of surrogates": "\xed\xa0\xbd\xed\xb8\x80",
	"beyond U+10FFFF": "\xf4\x90\x80\x80", "far beyond it": "\xf7\xbf\xbf\xbf", "5 bytes": "\xf8\x88\x80\x80\x80", "6 bytes": "\xfc\x84\x80\x80\x80\x80", "FE": "\xfe", "FF": "\xff", "a mark of UTF-16": "\xff\xfe{\x00",
	"Latin-1": "caf\xe9", "Windows-1252": "\x93quoted\x94", "Shift JIS": "\x83p\x83\x89", "GBK": "\xc4\xe3\xba\xc3",
}

func badUTF8() (all []badFrames) {
	for name, sequence := range badText {
		message := `{"jsonrpc":"2.0","id":1,"method":"chat","params":{"channel":"a","body":"` + sequence + `"}}`
		at := strings.Index(message, sequence) + 1
		all = append(all,
			badFrames{name + " alone", frameOf(fin|wstest.Text, sequence), 1007},
			badFrames{name + " in a request", frameOf(fin|wstest.Text, message), 1007},
			badFrames{name + " cut in two", frameOf(wstest.Text, message[:at]) + frameOf(fin|wstest.Ping, "") + frameOf(fin, message[at:]), 1007})
	}
	return all
}

// Frames that RFC 6455 or docs/protocol.md refuse end their connection with the
// documented code, and no other.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	for group, all := range map[string][]badFrames{
		"bits": badBits(), "length": badLengths(), "fragment": badFragments(), "close": badCloses(), "utf8": badUTF8(),
	} {
		for _, c := range all {
			t.Run(group+"/"+c.name, func(t *testing.T) {
				conn := r.dialRaw(t)
				if _, err := conn.Write([]byte(c.frames)); err != nil {
					t.Fatal(err)
				}
				endsWith(t, conn, c.code)
				_ = conn.Close()
				r.unharmed(t)
			})
		}
	}
}
