package pomelo

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// bytesOf is a package as docs write it: hexadecimal bytes, and text after a +.
func bytesOf(t *testing.T, parts ...string) []byte {
	t.Helper()
	var b []byte
	for _, part := range parts {
		if text, is := strings.CutPrefix(part, "+"); is {
			b = append(b, text...)
			continue
		}
		raw, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, raw...)
	}
	return b
}

func text(s string) func([]byte) []byte { return func(b []byte) []byte { return append(b, s...) } }

// What is sent is, to the byte, what pomelo's own server sends.
func TestWrittenAsPomeloWritesIt(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
		got  []byte
	}{
		{"heartbeat", []string{"03 00 00 00"}, appendPackage(nil, heartbeat, nil)},
		{"handshake", []string{"01 00 00 23", `+{"code":200,"sys":{"heartbeat":25}}`}, appendPackage(nil, handshake, func(b []byte) []byte {
			return appendAnswer(b, Handshake{}, HandshakeOK, 25*time.Second, nil)
		})},
		{"refused handshake", []string{"01 00 00 0c", `+{"code":500}`}, appendPackage(nil, handshake, func(b []byte) []byte {
			return appendAnswer(b, Handshake{protos: true}, HandshakeRefused, 25*time.Second, []byte("{}"))
		})},
		{"response", []string{"04 00 00 0e 04 01", `+{"code":200}`}, Bare.AppendResponse(nil, []byte{1}, text(`{"code":200}`))},
		{"empty response", []string{"04 00 00 04 04 02 7b 7d"}, Bare.AppendResponse(nil, []byte{2}, text(`{}`))},
		{"push", []string{"04 00 00 2e 06 06", "+onChat", `+{"msg":"hi","from":"ada","target":"*"}`}, Bare.AppendPush(nil, "onChat", text(`{"msg":"hi","from":"ada","target":"*"}`))},
		{"onAdd", []string{"04 00 00 28 06 05", "+onAdd", `+{"route":"onAdd","user":"b12893"}`}, Bare.AppendPush(nil, "onAdd", text(`{"route":"onAdd","user":"b12893"}`))},
		{"kick", []string{"05 00 00 11", `+{"reason":"kick"}`}, appendPackage(nil, kick, text(`{"reason":"kick"}`))},
		{"framed response", []string{"82 12 04 00 00 0e 04 01", `+{"code":200}`}, Framed.AppendResponse(nil, []byte{1}, text(`{"code":200}`))},
		{"emoji", []string{"04 00 00 19 06 01", "+o", `+{"m":"\ud83d\ude00é"}`}, Bare.AppendPush(nil, "o", text(`{"m":"😀é"}`))},
	} {
		if want := string(bytesOf(t, c.want...)); string(c.got) != want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, want)
		}
	}
}

// What clients were seen to send is read as they mean it.
func TestReadAsClientsWriteIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []string
		want  Request
	}{
		{"request 1", []string{"04 00 00 2b 00 01 1b", "+gate.gateHandler.queryEntry", `+{"uid":"ada"}`}, Request{[]byte{1}, "gate.gateHandler.queryEntry", []byte(`{"uid":"ada"}`)}},
		{"notify", []string{"04 00 00 19 02 15", "+chat.chatHandler.send", "+{}"}, Request{nil, "chat.chatHandler.send", []byte("{}")}},
		{"enter", []string{"04 00 00 3c 00 01 1c", "+connector.entryHandler.enter", `+{"username":"adam","rid":"r"}`}, Request{[]byte{1}, "connector.entryHandler.enter", []byte(`{"username":"adam","rid":"r"}`)}},
		{"id 128 of pomelo-client-websocket", []string{"04 00 00 05 00 81 00 01", "+a", ""}, Request{[]byte{0x81, 0}, "a", []byte("{}")}},
		{"id 16384", []string{"04 00 00 08 00 80 80 01 01", "+a", "+{}"}, Request{[]byte{0x80, 0x80, 1}, "a", []byte("{}")}},
		{"emoji of the JavaScript client", []string{"04 00 00 14 00 01 01", "+a", `+{"m":"`, "ed a0 bd ed b8 80 c3 a9", `+"}`}, Request{[]byte{1}, "a", []byte(`{"m":"😀é"}`)}},
	} {
		b := bytesOf(t, c.bytes...)
		k, body, err := parse(b, 1<<16)
		if err != nil || k != data {
			t.Errorf("%s: %v, %v", c.name, k, err)
			continue
		}
		r, bad, err := parseMessage(body)
		if err != nil || bad != nil || string(r.ID) != string(c.want.ID) || (r.ID == nil) != (c.want.ID == nil) || r.Route != c.want.Route || string(r.Body) != string(c.want.Body) {
			t.Errorf("%s: %+v, %v, %v", c.name, r, bad, err)
		}
	}
}
