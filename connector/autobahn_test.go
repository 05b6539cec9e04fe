package connector

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// echoing is the connection layer with nothing above it but an echo.
func echoing(t *testing.T) *edgeRig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, upgrader, flushers := newPlains(0, newMetrics(nil)), &websocket.Upgrader{ReadBufferSize: upgradeBuffer, WriteBufferSize: upgradeBuffer}, newFlushers()
	server := p.server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := newConn(ws, 4<<20, flushers, nil)
		ws.SetReadLimit(64 << 10)
		_ = c.read(func(message []byte) { c.send(textFrame(message)) })
		c.discard()
	}))
	go func() { _ = server.Serve(listener{l, 1 << 20, p}) }()
	t.Cleanup(func() { _ = server.Close() })
	return &edgeRig{t: t, addr: l.Addr().String()}
}

// Frames as Autobahn's test suite sends them, under its case numbers, and what
// RFC 6455 wants: the texts and pongs that come back, then the close code.
// Binary messages (1.2) are refused with 1003, as the protocol says.
func TestAutobahnCases(t *testing.T) {
	t.Parallel()
	r := echoing(t)
	frame := func(first byte, payload string) string {
		return string(rawFrame(first, uint64(len(payload)), payload))
	}
	const text, cont, ping, pong, fin = opText, 0, opPing, 0xA, final
	bye := frame(fin|opClose, "\x03\xe8")
	long := strings.Repeat("*", 65536)
	for _, c := range []struct {
		id, frames, want string
		code             int
	}{
		{"1.1.1", frame(fin|text, "") + bye, "t:", 1000},
		{"1.1.2", frame(fin|text, long[:125]) + bye, "t:" + long[:125], 1000},
		{"1.1.4", frame(fin|text, long[:127]) + bye, "t:" + long[:127], 1000},
		{"1.1.8", frame(fin|text, long) + bye, "t:" + long, 1000},
		{"1.2.1", frame(fin|2, ""), "", 1003},
		{"2.1", frame(fin|ping, "") + bye, "p:", 1000},
		{"2.4", frame(fin|ping, long[:125]) + bye, "p:" + long[:125], 1000},
		{"2.5", frame(fin|ping, long[:126]), "", 1002},
		{"2.7", frame(fin|pong, "") + bye, "", 1000},
		{"2.9", frame(fin|pong, "x") + frame(fin|ping, "y") + bye, "p:y", 1000},
		{"3.1", frame(fin|text|0x40, "x"), "", 1002},
		{"3.2", frame(fin|text, "x") + frame(fin|text|0x20, "x"), "t:x", 1002},
		{"3.7", frame(fin|opClose|0x70, ""), "", 1002},
		{"4.1.1", frame(fin|3, ""), "", 1002},
		{"4.1.3", frame(fin|text, "x") + frame(fin|5, ""), "t:x", 1002},
		{"4.2.1", frame(fin|11, ""), "", 1002},
		{"5.1", frame(ping, "a") + frame(fin|cont, "b"), "", 1002},
		{"5.3", frame(text, "a") + frame(fin|cont, "b") + bye, "t:ab", 1000},
		{"5.6", frame(text, "a") + frame(fin|ping, "p") + frame(fin|cont, "b") + bye, "p:p t:ab", 1000},
		{"5.9", frame(fin|cont, "a"), "", 1002},
		{"5.18", frame(text, "a") + frame(fin|text, "b"), "", 1002},
		{"6.1.1", frame(fin|text, "") + bye, "t:", 1000},
		{"6.1.3", frame(text, "") + frame(cont, "m") + frame(fin|cont, "") + bye, "t:m", 1000},
		{"6.2.3", frame(text, "\xce") + frame(fin|cont, "\xba") + bye, "t:\u03ba", 1000},
		{"6.3.1", frame(fin|text, "\xce\xba\xed\xa0\x80x"), "", 1007},
		{"6.6.1", frame(fin|text, "\xce"), "", 1007},
		{"6.18.1", frame(fin|text, "\xf4\x90\x80\x80"), "", 1007},
		{"7.1.2", bye + bye, "", 1000},
		{"7.1.3", bye + frame(fin|ping, "x"), "", 1000},
		{"7.3.1", frame(fin|opClose, ""), "", 1005},
		{"7.3.2", frame(fin|opClose, "a"), "", 1002},
		{"7.3.4", frame(fin|opClose, "\x03\xe8hello"), "", 1000},
		{"7.3.6", frame(fin|opClose, "\x03\xe8"+long[:124]), "", 1002},
		{"7.5.1", frame(fin|opClose, "\x03\xe8\xce\xba\xed\xa0\x80"), "", 1002},
		{"7.7.9", frame(fin|opClose, "\x0b\xb8"), "", 3000},
		{"7.9.1", frame(fin|opClose, "\x00\x00"), "", 1002},
		{"7.9.4", frame(fin|opClose, "\x03\xec"), "", 1002},
		{"10.1.1", func() (all string) {
			for i := 0; i < len(long); i += 1300 {
				first, end := byte(cont), min(len(long), i+1300)
				if i == 0 {
					first = text
				}
				if end == len(long) {
					first |= fin
				}
				all += frame(first, long[i:end])
			}
			return all + bye
		}(), "t:" + long, 1000},
	} {
		conn := r.upgraded()
		go func() { _, _ = conn.Write([]byte(c.frames)) }()
		var came []string
		code := 0
		for {
			f, err := readFrame(conn)
			if err != nil {
				break
			}
			switch f.opcode {
			case fin | text:
				came = append(came, "t:"+string(f.payload))
			case fin | pong:
				came = append(came, "p:"+string(f.payload))
			default:
				code = f.codeOf()
			}
		}
		if got := strings.Join(came, " "); got != c.want || code != c.code {
			t.Errorf("case %s: %.60q and %d, want %.60q and %d", c.id, got, code, c.want, c.code)
		}
	}
}
