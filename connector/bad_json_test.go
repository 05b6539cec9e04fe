package connector

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// notJSON are texts that RFC 8259 does not allow: as values of a member, and as
// frames.
var notJSON = map[string]string{
	"a comma alone": ",", "two commas": "[1,,2]", "a comma first": "[,1]", "a comma last": "[1,]", "a comma last in an object": `{"a":1,}`, "no comma": "[1 2]", "no comma between strings": `["a" "b"]`,
	"a colon for a comma": "[1:2]", "a comma for a colon": `{"a",1}`, "no colon": `{"a" 1}`, "two colons": `{"a"::1}`, "a semicolon": `{"a":1;"b":2}`, "no value": `{"a":}`, "no name": `{:1}`, "a name alone": `{"a"}`,
	"a name that is a number": `{1:1}`, "a name without quotes": `{a:1}`, "a name in single quotes": `{'a':1}`, "a name that is null": `{null:1}`, "a name that is a list": `{[1]:1}`, "an open list": "[1", "an open object": `{"a":1`,
	"a list closed by a brace": "[1}", "an object closed by a bracket": `{"a":1]`, "a bracket closed twice": "[1]]", "a brace closed twice": `{}}`, "an equals sign": `{"a"=1}`,
	"a string in single quotes": "'a'", "an open string": `"a`, "a string of one quote": `"`, "a backslash last": `"\`, "an unknown escape": `"\a"`, "an escape in hex": `"\x41"`, "an octal escape": `"\101"`, "an escaped NUL of C": `"\0"`, "an escape of JavaScript": `"\u{41}"`, "a quoted single quote": `"\'"`,
	"half an escape": `"\u00"`, "an escape that is not hex": `"\u00g1"`, "an escape in capitals": `"\U0041"`, "an escaped line end": "\"\\\n\"", "a line end in a string": "\"a\nb\"", "a CR in a string": "\"a\rb\"", "a tab in a string": "\"a\tb\"", "a NUL in a string": "\"a\x00b\"", "a control character in a string": "\"\x1f\"", "an escape character": "\"\x1b[0m\"",
	"a backtick string": "`a`", "a triple quote": `"""a"""`, "curly quotes": "“a”", "two strings": `"a""b"`,
	"a plus": "+1", "a leading zero": "01", "a negative leading zero": "-01", "two zeros": "00", "a minus alone": "-", "two minuses": "--1", "a point first": ".5", "a point last": "1.", "a negative point": "-.5", "two points": "1.2.3", "an exponent alone": "1e", "an exponent of a sign": "1e+", "an exponent of a point": "1e1.5", "two exponents": "1e1e1",
	"hex": "0x10", "octal": "0o17", "binary": "0b1", "underscores": "1_000", "a comma in a number": "1,000", "a blank in a number": "1 000", "a number with a letter": "1a", "a suffix of C": "10L", "NaN": "NaN", "nan": "nan", "Infinity": "Infinity", "-Infinity": "-Infinity", "inf": "inf", "a fullwidth digit": "１", "a superscript": "1²", "a minus of typography": "−1", "a money sign": "$1", "a percent": "5%",
	"True": "True", "TRUE": "TRUE", "tru": "tru", "truee": "truee", "False": "False", "fals": "fals", "None": "None", "nul": "nul", "nulll": "nulll", "undefined": "undefined", "nil": "nil", "yes": "yes", "a word": "hello",
	"a comment of C": "/* a */ 1", "a comment after it": "1 // a", "a comment of a shell": "# a", "a comment of HTML": "<!-- a --> 1", "a function": "f(1)", "a regular expression": "/a/", "a date": "2026-01-01", "an arithmetic": "1+1", "parentheses": "(1)", "a template": "${a}", "a tag": "<a>", "YAML": "- a", "a variable": "$a", "an ampersand": "&a", "an at": "@a",
	"a BOM": "\ufeff1", "a no-break space": "\u00a01", "a line separator": "\u20281", "a vertical tab": "\v1", "a form feed": "\f1", "a NUL": "\x00", "a NUL after it": "1\x00", "a DEL": "\x7f", "a zero-width space": "\u200b1", "an ideographic space": "\u30001",
}

// Frames that are not JSON are answered with -32700, for the id null.
func TestBadJSON(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	frames := map[string]string{"nothing": "", "a blank": " ", "a line end": "\n", "two values": "{} {}", "two requests": ping + ping, "two requests on lines": ping + "\n" + ping}
	for name, text := range notJSON {
		frames[name] = text
		frames[name+" within a request"] = `{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":` + text + `}}`
		frames[name+" as the id"] = `{"jsonrpc":"2.0","id":` + text + `,"method":"ping"}`
	}
	for i := range len(ping) {
		if i > 0 && i%8 == 0 {
			frames["a request cut at "+ping[i-6:i]] = ping[:i]
		}
	}
	delete(frames, "a comma in a number within a request")
	for name, text := range frames {
		t.Run(name, func(t *testing.T) {
			r.over(t, "", func(ws *websocket.Conn) { refusedBefore(t, ws, text, rpc.CodeParse, "null") })
		})
	}
}

// refusedBefore is refusedWith before hello, where a ping is refused.
func refusedBefore(t *testing.T, ws *websocket.Conn, frame string, code int, id string) {
	t.Helper()
	for _, c := range []struct {
		frame string
		code  int
		id    string
	}{{frame, code, id}, {ping, rpc.CodeUnauthenticated, "1"}} {
		a, text := answerOf(t, ws, c.frame)
		if a.Error == nil || a.Error.Code != c.code || string(a.ID) != c.id {
			t.Errorf("%.200q is answered %.300s, want code %d, id %s", c.frame, text, c.code, c.id)
		}
	}
}

// Frames that are JSON and not a request are answered with -32600, for the id
// that they have.
func TestBadEnvelopes(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	const request, params = rpc.CodeInvalidRequest, rpc.CodeInvalidParams
	deep := strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)
	for name, c := range map[string]struct {
		frame string
		code  int
		id    string
	}{
		"null": {`null`, request, "null"}, "true": {`true`, request, "null"}, "a number": {`7`, request, "null"}, "a string": {`"ping"`, request, "null"}, "an empty list": {`[]`, request, "null"},
		"a batch": {`[` + ping + `]`, request, "null"}, "a batch of two": {`[` + ping + `,` + ping + `]`, request, "null"}, "a list of lists": {`[[]]`, request, "null"}, "an empty object": {`{}`, request, "null"},
		"no version": {`{"id":1,"method":"ping"}`, request, "1"}, "version 1.0": {`{"jsonrpc":"1.0","id":1,"method":"ping"}`, request, "1"}, "version 2": {`{"jsonrpc":"2","id":1,"method":"ping"}`, request, "1"}, "version 2.00": {`{"jsonrpc":"2.00","id":1,"method":"ping"}`, request, "1"},
		"a version that is a number": {`{"jsonrpc":2.0,"id":1,"method":"ping"}`, request, "1"}, "a version that is null": {`{"jsonrpc":null,"id":1,"method":"ping"}`, request, "1"}, "a version with a blank": {`{"jsonrpc":"2.0 ","id":1,"method":"ping"}`, request, "1"},
		"a version in a list": {`{"jsonrpc":["2.0"],"id":1,"method":"ping"}`, request, "1"}, "another name of the version": {`{"JSONRPC":"2.0","id":1,"method":"ping"}`, request, "1"}, "a version twice": {`{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}`, request, "1"},
		"an id that is true": {`{"jsonrpc":"2.0","id":true,"method":"ping"}`, request, "null"}, "an id that is false": {`{"jsonrpc":"2.0","id":false,"method":"ping"}`, request, "null"}, "an id that is a list": {`{"jsonrpc":"2.0","id":[1],"method":"ping"}`, request, "null"},
		"an id that is an object": {`{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, request, "null"}, "an id twice": {`{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}`, request, "null"}, "half a surrogate as the id": {`{"jsonrpc":"2.0","id":"\ud800","method":"ping"}`, request, "null"},
		"no method": {`{"jsonrpc":"2.0","id":1}`, request, "1"}, "a method that is null": {`{"jsonrpc":"2.0","id":1,"method":null}`, request, "1"}, "a method that is a number": {`{"jsonrpc":"2.0","id":1,"method":7}`, request, "1"}, "a method that is a list": {`{"jsonrpc":"2.0","id":1,"method":["ping"]}`, request, "1"},
		"a method that is an object": {`{"jsonrpc":"2.0","id":1,"method":{"ping":1}}`, request, "1"}, "a method that is true": {`{"jsonrpc":"2.0","id":1,"method":true}`, request, "1"}, "a method twice": {`{"jsonrpc":"2.0","id":1,"method":"ping","method":"ping"}`, request, "1"}, "Method": {`{"jsonrpc":"2.0","id":1,"Method":"ping"}`, request, "1"},
		"half a surrogate as the method": {`{"jsonrpc":"2.0","id":1,"method":"\ud800"}`, request, "1"}, "params that are a number": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":7}`, request, "1"}, "params that are a string": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":"{}"}`, request, "1"}, "params that are true": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":true}`, request, "1"},
		"params by position": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}`, params, "1"}, "params of nulls": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":[null]}`, params, "1"}, "params in a list": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":[{}]}`, params, "1"}, "params twice": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}`, request, "1"},
		"another member twice": {`{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"x":1}`, request, "1"}, "one twice by an escape": {`{"jsonrpc":"2.0","id":1,"method":"ping","x":1,"\u0078":1}`, request, "1"}, "a member within twice": {`{"jsonrpc":"2.0","id":1,"method":"ping","x":{"y":1,"y":1}}`, request, "1"}, "half a surrogate elsewhere": {`{"jsonrpc":"2.0","id":1,"method":"ping","x":"\udfff"}`, request, "1"}, "half a surrogate as a name": {`{"jsonrpc":"2.0","id":1,"method":"ping","\ud800":1}`, request, "1"},
		"nested too deeply": {`{"jsonrpc":"2.0","id":1,"method":"ping","x":` + deep + `}`, request, "1"}, "params nested too deeply": {`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":` + deep + `}}`, request, "1"}, "brackets without end": {strings.Repeat("[", 20_000), request, "null"}, "braces without end": {strings.Repeat(`{"a":`, 10_001), request, "null"},
		"an answer": {`{"jsonrpc":"2.0","id":1,"result":{}}`, request, "1"}, "an error": {`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, request, "1"}, "JSON-RPC 1": {`{"id":1,"method":"ping","params":[]}`, request, "1"}, "GraphQL": {`{"query":"{ me { id } }"}`, request, "null"}, "Socket.IO": {`["chat",{"body":"x"}]`, request, "null"}, "Centrifugo": {`{"id":1,"connect":{"token":"x"}}`, request, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			r.over(t, "", func(ws *websocket.Conn) { refusedBefore(t, ws, c.frame, c.code, c.id) })
		})
	}
}
