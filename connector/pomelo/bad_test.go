package pomelo

import (
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/pomelotest"
)

// bad is what a client sends that has made the handshake, and what becomes of it:
// an answer, or a kick with a code of WebSockets, after which the connection ends.
type bad struct{ name, packages, want string }

const (
	wrong    = `","reconnect":false,"parley":1002}`
	tooLarge = `5{"reason":"the package is too large","reconnect":false,"parley":1009}`
	unknownK = `5{"reason":"a package of an unknown kind` + wrong
	early    = `5{"reason":"a message that ends too early` + wrong
	noType   = `5{"reason":"a message that is neither a request nor a notify` + wrong
	longID   = `5{"reason":"an id of more than five bytes` + wrong
	noUTF8   = "4\x04\x01" + `{"code":500,"error":"parse error: the body is not UTF-8"}`
	noJSON   = "4\x04\x01" + `{"code":500,"error":"parse error: the body is not JSON"}`
	noObject = "4\x04\x01" + `{"code":500,"error":"invalid request: a body is a JSON object"}`
	bits     = "4\x04\x01" + `{"code":500,"error":"invalid request: a body is neither compressed nor an error"}`
	codes    = "4\x04\x01" + `{"code":500,"error":"no such route: routes have no codes here, because the handshake sends no dictionary"}`
	noName   = "4\x04\x01" + `{"code":500,"error":"no such route: it needs a name in UTF-8"}`
)

func message(parts ...string) string { return pomelotest.Package(4, strings.Join(parts, "")) }

func badPackages() []bad {
	return []bad{
		{"kind 0", pomelotest.Package(0, ""), unknownK}, {"kind 5, a kick", pomelotest.Package(5, `{"reason":"kick"}`), unknownK}, {"kind 6", pomelotest.Package(6, "{}"), unknownK},
		{"kind 255", pomelotest.Package(255, ""), unknownK}, {"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", unknownK}, {"a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", unknownK},
		{"JSON", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, unknownK}, {"zeros", strings.Repeat("\x00", 64), unknownK}, {"ones", strings.Repeat("\xff", 64), unknownK},
		{"a package of 16 MB", "\x04\xff\xff\xff", tooLarge}, {"a handshake of 16 MB", "\x01\xff\xff\xff" + strings.Repeat("x", 64), tooLarge},
		{"one byte above the limit", pomelotest.Package(4, strings.Repeat("x", testFrame-3))[:headBytes], tooLarge},
		{"a heartbeat of 16 MB", "\x03\xff\xff\xff", tooLarge},
	}
}

func badMessages() []bad {
	return []bad{
		{"no body", message(), early}, {"a flag alone", message("\x00"), early}, {"a notify without a route", message("\x02"), early}, {"a request without a route", message("\x00\x01"), early},
		{"an id that does not end", message("\x00\x81"), early}, {"a route that does not end", message("\x00\x01\x05abc"), early}, {"a route of 255 bytes that does not end", message("\x00\x01\xff", strings.Repeat("a", 254)), early},
		{"half a code", message("\x01\x01\x00"), early}, {"no code", message("\x01\x01"), early},
		{"an id of 2^35", message("\x00\x80\x80\x80\x80\x80\x01\x01a{}"), longID}, {"an id of six bytes, high group first", message("\x00\x81\x80\x80\x80\x80\x00\x01a{}"), longID}, {"an id of ones", message("\x00", strings.Repeat("\xff", 100)), longID},
		{"a response", message("\x04\x01{}"), noType}, {"a push", message("\x06\x01a{}"), noType},
		{"type 4", message("\x08\x01\x01a{}"), noType}, {"type 5", message("\x0a\x01\x01a{}"), noType}, {"type 6", message("\x0c\x01\x01a{}"), noType}, {"type 7", message("\x0e\x01\x01a{}"), noType},
		{"all bits", message("\xff\x01\x01a{}"), noType}, {"a kick of the server within data", message(pomelotest.Package(5, "{}")), noType},
	}
}

func badRequests() (all []bad) {
	of := func(name, body, want string) { all = append(all, bad{name, pomelotest.Request(1, "a.b", body), want}) }
	for name, body := range map[string]string{
		"text": "hello", "half an object": `{"a":`, "an open string": `{"a":"`, "two objects": "{}{}", "an object and more": "{} x", "a single quote": "{'a':1}", "a comma too many": `{"a":1,}`, "NUL": "\x00", "a mark of order": "\ufeff{}",
		"blanks": "   ", "a control character in a string": "{\"a\":\"\x01\"}", "NaN": "NaN", "protobuf": "\x0a\x02hi\x12\x03ada\x1a\x01*",
	} {
		of(name, body, noJSON)
	}
	for name, body := range map[string]string{"null": "null", "true": "true", "a number": "7", "a string": `"a"`, "an array": "[]", "an array of objects": "[{}]", "blanks and an array": " \t\r\n[]"} {
		of(name, body, noObject)
	}
	for name, sequence := range map[string]string{
		"half a pair": "\xed\xa0\xbd", "the other half": "\xed\xb8\x80", "halves in the wrong order": "\xed\xb8\x80\xed\xa0\xbd", "half a pair twice": "\xed\xa0\xbd\xed\xa0\xbd", "half a pair and text": "\xed\xa0\xbdabc", "half a pair that is cut": "\xed\xa0\xbd\xed\xb8",
		"a continuation byte": "\x80", "3 of 4 bytes": "\xf0\x9f\x98", "beyond U+10FFFF": "\xf4\x90\x80\x80", "an overlong quote": "\xc0\xa2", "Latin-1": "caf\xe9", "GBK": "\xc4\xe3\xba\xc3", "FF": "\xff", "a pair with a wrong byte": "\xed\xa0\xbd\xed\xb8\xc0",
	} {
		of(name, `{"a":"`+sequence+`"}`, noUTF8)
		of(name+", at the end", sequence, noUTF8)
	}
	return append(all,
		bad{"a code", message("\x01\x01\x00\x01{}"), codes}, bad{"a code and no body", message("\x01\x01\xff\xff"), codes},
		bad{"no name", message("\x00\x01\x00{}"), noName}, bad{"a name that is not UTF-8", message("\x00\x01\x02\xff\xfe{}"), noName}, bad{"half a pair in the name", message("\x00\x01\x03\xed\xa0\xbd{}"), noName},
		bad{"gzip", message("\x10\x01\x03a.b\x1f\x8b\x08\x00"), bits}, bad{"an error", message("\x20\x01\x03a.b{}"), bits}, bad{"gzip and an error", message("\x30\x01\x03a.b{}"), bits}, bad{"bit 6", message("\x40\x01\x03a.b{}"), bits}, bad{"bit 7", message("\x80\x01\x03a.b{}"), bits},
	)
}

// Whatever a client sends is answered as documented, or its connection is closed in
// order. A bystander notices nothing.
func TestBadPackages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	bystander := r.work(false)
	for way, framed := range map[string]bool{"TCP": false, "WebSocket": true} {
		for group, all := range map[string][]bad{"package": badPackages(), "message": badMessages(), "request": badRequests()} {
			for _, b := range all {
				t.Run(way+"/"+group+"/"+b.name, func(t *testing.T) {
					c := r.work(framed)
					defer c.Close()
					c.T = t
					c.Send(b.packages)
					c.Expect(b.want)
					if b.want[0] == '5' {
						c.Expect("end*")
					} else {
						c.Send(pomelotest.Request(2, "a.b", `{"still":"there"}`))
						c.Expect("4\x04\x02" + `{"still":"there"}`)
					}
					bystander.T = t
					bystander.Send(pomelotest.Request(1, "a.b", "{}"))
					bystander.Expect("4\x04\x01{}")
				})
			}
		}
	}
}

// A frame of a WebSocket has exactly one package.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	whole := pomelotest.Request(1, "a.b", "{}")
	for name, frame := range map[string]string{
		"empty": "", "half a head": whole[:3], "two packages": whole + whole, "a package and a byte": whole + "x", "half a package": whole[:len(whole)-1], "a heartbeat and a request": pomelotest.Package(3, "") + whole,
	} {
		t.Run(name, func(t *testing.T) {
			c := r.work(true)
			defer c.Close()
			c.T = t
			c.Send(frame)
			c.Expect(`5{"reason":"a package that is longer or shorter than it says`+wrong, "end*")
		})
	}
	for name, of := range map[string]struct{ frame, want string }{
		"text":           {"\x81\x80\x00\x00\x00\x00", `5{"reason":"text frames are not accepted","reconnect":false,"parley":1003}`},
		"64 KiB":         {"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", "end*"},
		"a reserved bit": {"\xc2\x80\x00\x00\x00\x00", "end*"},
	} {
		t.Run(name, func(t *testing.T) {
			c := r.work(true)
			defer c.Close()
			c.T = t
			if _, err := c.Write([]byte(of.frame)); err != nil {
				t.Fatal(err)
			}
			c.Expect(of.want)
		})
	}
}

// What comes first on a connection that is neither HTTP nor a package ends it.
func TestBadBeginnings(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for name, first := range map[string]string{
		"a TLS hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "zeros": strings.Repeat("\x00", 10), "a kick": pomelotest.Package(5, "{}"), "kind 6": pomelotest.Package(6, ""), "a package that is too large": "\x01\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			c := r.dial(false)
			defer c.Close()
			c.Send(first)
			c.Expect("end")
		})
	}
}

// Packages that mean nothing are ignored up to a point.
func TestBadFlood(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.work(framed)
		go func() {
			for range 100 * idleBurst {
				b := []byte(pomelotest.Package(2, ""))
				if framed {
					b = []byte("\x82\x84\x00\x00\x00\x00" + pomelotest.Package(2, ""))
				}
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}()
		c.Expect(`5{"reason":"too many packages that mean nothing","reconnect":false,"parley":3501}`, "end*")
	})
}
