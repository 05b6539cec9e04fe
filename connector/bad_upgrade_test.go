package connector

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
)

// headers of a request that becomes a WebSocket, in the order in which they are
// sent.
var goodHeaders = []string{"Host", "Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key"}

var goodValues = map[string]string{
	"Host": "localhost", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}

// upgradeRequest is that request with another first line (""; the same), other
// headers (name, value; "-" for none at all), and lines after them.
func upgradeRequest(line string, change map[string]string, more ...string) string {
	if line == "" {
		line = "GET /ws HTTP/1.1"
	}
	values := maps.Clone(goodValues)
	maps.Copy(values, change)
	text := line + "\r\n"
	for _, name := range goodHeaders {
		if values[name] != "-" {
			text += name + ": " + values[name] + "\r\n"
		}
	}
	for _, line := range more {
		text += line + "\r\n"
	}
	return text + "\r\n"
}

// badRequest is a request that becomes no WebSocket, and the status of its
// answer; 0: the connection is closed without one.
type badRequest struct {
	name, text string
	status     int
}

func badLines() (all []badRequest) {
	for _, c := range []struct {
		name, line string
		status     int
	}{
		{"POST", "POST /ws HTTP/1.1", 405}, {"PUT", "PUT /ws HTTP/1.1", 405}, {"DELETE", "DELETE /ws HTTP/1.1", 405}, {"PATCH", "PATCH /ws HTTP/1.1", 405},
		{"OPTIONS", "OPTIONS /ws HTTP/1.1", 405}, {"TRACE", "TRACE /ws HTTP/1.1", 405}, {"HEAD", "HEAD /ws HTTP/1.1", 405}, {"CONNECT", "CONNECT /ws HTTP/1.1", 405},
		{"a made-up method", "CHAT /ws HTTP/1.1", 405}, {"a method in small letters", "get /ws HTTP/1.1", 405}, {"a method with a bracket", "G[T /ws HTTP/1.1", 400},
		{"no method", " /ws HTTP/1.1", 400}, {"no path", "GET HTTP/1.1", 400}, {"an empty path", "GET  HTTP/1.1", 400}, {"two blanks", "GET  /ws HTTP/1.1", 400},
		{"three words more", "GET /ws HTTP/1.1 x y z", 400}, {"a tab", "GET\t/ws\tHTTP/1.1", 400}, {"no version", "GET /ws", 400}, {"nothing", "", -1},
		{"another path", "GET /ws2 HTTP/1.1", 404}, {"a path in capitals", "GET /WS HTTP/1.1", 404}, {"a path with a slash more", "GET /ws/ HTTP/1.1", 404},
		{"a path below", "GET /ws/x HTTP/1.1", 404}, {"the root", "GET / HTTP/1.1", 404}, {"another file", "GET /etc/passwd HTTP/1.1", 404},
		{"a path that climbs", "GET /../../etc/passwd HTTP/1.1", 307}, {"an encoded one that climbs", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", 404},
		{"two slashes", "GET //ws HTTP/1.1", 307}, {"a dot", "GET /./ws HTTP/1.1", 307}, {"a path that climbs to it", "GET /x/../ws HTTP/1.1", 307},
		{"a path without a slash", "GET ws HTTP/1.1", 400}, {"an asterisk", "GET * HTTP/1.1", 400}, {"OPTIONS of everything", "OPTIONS * HTTP/1.1", 200},
		{"half an escape", "GET /ws% HTTP/1.1", 400}, {"an escape that is not hex", "GET /%zz HTTP/1.1", 400}, {"a NUL in the path", "GET /ws\x00 HTTP/1.1", 400},
		{"a DEL in the path", "GET /ws\x7f HTTP/1.1", 400}, {"an encoded NUL", "GET /ws%00 HTTP/1.1", 404}, {"bytes that are not UTF-8", "GET /\xff\xfe HTTP/1.1", 404},
		{"another host in the line", "GET http://evil.example/ws HTTP/1.1", 403},
		{"another scheme", "GET ftp://evil.example/ws HTTP/1.1", 403}, {"a user in the line", "GET http://ada:x@evil.example/ws HTTP/1.1", 403},
		{"HTTP/0.9", "GET /ws HTTP/0.9", 505}, {"HTTP/1.0", "GET /ws HTTP/1.0", 400}, {"HTTP/2.0", "GET /ws HTTP/2.0", 505}, {"HTTP/3.0", "GET /ws HTTP/3.0", 505},
		{"HTTP/11", "GET /ws HTTP/11", 400}, {"HTTP/1.1.1", "GET /ws HTTP/1.1.1", 400}, {"http in small letters", "GET /ws http/1.1", 400},
		{"another protocol", "GET /ws SIP/2.0", 400}, {"RTSP", "OPTIONS rtsp://localhost/ws RTSP/1.0", 400}, {"a minus in the version", "GET /ws HTTP/-1.1", 400},
		{"a very long path", "GET /" + strings.Repeat("x", 17<<10) + " HTTP/1.1", 431}, {"a very long method", strings.Repeat("X", 17<<10) + " /ws HTTP/1.1", 431},
		{"a very long query", "GET /ws?" + strings.Repeat("x", 17<<10) + " HTTP/1.1", 431},
	} {
		if c.status >= 0 {
			all = append(all, badRequest{c.name, upgradeRequest(c.line, nil), c.status})
		}
	}
	return append(all, badRequest{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403})
}

func badUpgrades() (all []badRequest) {
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"no upgrade", "Upgrade", "-", 400}, {"an empty upgrade", "Upgrade", "", 400}, {"an upgrade to websockets", "Upgrade", "websockets", 400},
		{"an upgrade to h2c", "Upgrade", "h2c", 400}, {"an upgrade to web socket", "Upgrade", "web socket", 400}, {"a quoted upgrade", "Upgrade", `"websocket"`, 400},
		{"an upgrade with a version", "Upgrade", "websocket/13", 400},
		{"no connection", "Connection", "-", 400}, {"an empty connection", "Connection", "", 400}, {"connection close", "Connection", "close", 400},
		{"connection keep-alive", "Connection", "keep-alive", 400}, {"connection upgraded", "Connection", "Upgraded", 400}, {"connection by semicolons", "Connection", "keep-alive; Upgrade", 400},
		{"no version", "Sec-WebSocket-Version", "-", 400}, {"an empty version", "Sec-WebSocket-Version", "", 400}, {"version 0", "Sec-WebSocket-Version", "0", 400},
		{"version 7", "Sec-WebSocket-Version", "7", 400}, {"version 8", "Sec-WebSocket-Version", "8", 400}, {"version 12", "Sec-WebSocket-Version", "12", 400},
		{"version 14", "Sec-WebSocket-Version", "14", 400}, {"version 130", "Sec-WebSocket-Version", "130", 400}, {"version 013", "Sec-WebSocket-Version", "013", 400},
		{"version 13.0", "Sec-WebSocket-Version", "13.0", 400}, {"version -13", "Sec-WebSocket-Version", "-13", 400}, {"version thirteen", "Sec-WebSocket-Version", "thirteen", 400},
		{"no key", "Sec-WebSocket-Key", "-", 400}, {"an empty key", "Sec-WebSocket-Key", "", 400}, {"a key of 15 bytes", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2Rl", 400},
		{"a key of 17 bytes", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZmc=", 400}, {"a key without padding", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg", 400},
		{"a key that is not base64", "Sec-WebSocket-Key", "!DEyMzQ1Njc4OWFiY2RlZg==", 400}, {"a key in URL base64", "Sec-WebSocket-Key", "_-_-_-_-_-_-_-_-_-_-_g==", 400},
		{"a key with a blank", "Sec-WebSocket-Key", "MDEyMzQ1 Njc4OWFiY2RlZg==", 400}, {"a very long key", "Sec-WebSocket-Key", strings.Repeat("A", 4<<10), 400},
		{"no host", "Host", "-", 400}, {"an empty host", "Host", "", 403}, {"a host with a blank", "Host", "local host", 400}, {"a host with a slash", "Host", "localhost/ws", 400},
		{"another host", "Host", "evil.example", 403}, {"a name that points here", "Host", "127.0.0.1.nip.io", 403}, {"a host with a user", "Host", "localhost@evil.example", 400},
		{"0.0.0.0", "Host", "0.0.0.0", 403}, {"an address as a number", "Host", "2130706433", 403}, {"an address in hex", "Host", "0x7f000001", 403},
		{"a short address", "Host", "127.1", 403}, {"an octal address", "Host", "0177.0.0.1", 403}, {"a private address", "Host", "192.168.0.1", 403},
		{"IPv6 without brackets", "Host", "::1", 403}, {"all of IPv6", "Host", "[::]", 403}, {"a zone", "Host", "[::1%25lo]", 403}, {"half a bracket", "Host", "[::1", 403},
		{"a host with two dots", "Host", "localhost..", 403}, {"a port without digits", "Host", "localhost:", 403}, {"a port too high", "Host", "localhost:65536", 403},
		{"a negative port", "Host", "localhost:-1", 403}, {"port 0", "Host", "localhost:0", 403}, {"a port with letters", "Host", "localhost:http", 403},
		{"a host with a quote", "Host", `"localhost"`, 400}, {"a host not in ASCII", "Host", "löcalhost", 400}, {"a host with an escape", "Host", "loc%61lhost", 403},
	} {
		all = append(all, badRequest{c.name, upgradeRequest("", map[string]string{c.header: c.value}), c.status})
	}
	return all
}

func badHeaders() (all []badRequest) {
	for _, c := range []struct {
		name, line string
		status     int
	}{
		{"a blank before the colon", "X-Ada : 1", 400}, {"no colon", "X-Ada 1", 400}, {"no name", ": 1", 400}, {"a NUL in a name", "X\x00Ada: 1", 400}, {"a NUL in a value", "X-Ada: 1\x00", 400},
		{"a control character in a value", "X-Ada: 1\x01", 400}, {"a CR in a value", "X-Ada: 1\rX-Bob: 2", 400}, {"a DEL in a value", "X-Ada: \x7f", 400}, {"a slash in a name", "X/Ada: 1", 400},
		{"a name beyond ASCII", "X-Äda: 1", 400}, {"brackets in a name", "X(Ada): 1", 400}, {"a folded first line", "\tX-Ada: 1", 101},
		{"a second host", "Host: localhost", 400}, {"a second host that differs", "Host: evil.example", 400}, {"a length that is not a number", "Content-Length: abc", 400}, {"a negative length", "Content-Length: -1", 400},
		{"a length with a sign", "Content-Length: +1", 400}, {"a length in hex", "Content-Length: 0x10", 400}, {"two lengths", "Content-Length: 1\r\nContent-Length: 2", 400}, {"a list of lengths", "Content-Length: 1, 2", 400},
		{"a length beyond 64 bits", "Content-Length: 99999999999999999999", 400}, {"length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked", 400},
		{"a body", "Content-Length: 5\r\n\r\nhello", 400}, {"a body in chunks", "Transfer-Encoding: chunked\r\n\r\n0", 400},
		{"an unknown encoding", "Transfer-Encoding: gzip", 501}, {"chunks twice", "Transfer-Encoding: chunked, chunked", 501}, {"chunks and identity", "Transfer-Encoding: identity", 501},
		{"chunks with a tab", "Transfer-Encoding: \x0bchunked", 400}, {"an expectation", "Expect: 200-ok", 417},
		{"an origin elsewhere", "Origin: http://evil.example", 403}, {"an origin on another port", "Origin: http://localhost:1", 403}, {"the origin null", "Origin: null", 403}, {"an empty origin", "Origin: ", 403},
		{"an origin with a path", "Origin: http://localhost/", 403}, {"two origins", "Origin: http://localhost\r\nOrigin: http://evil.example", 403}, {"two origins in one", "Origin: http://localhost http://evil.example", 403},
		{"an origin with a user", "Origin: http://localhost@evil.example", 403}, {"an origin below", "Origin: http://localhost.evil.example", 403}, {"an origin of another scheme", "Origin: ftp://localhost", 403},
		{"an origin without a scheme", "Origin: localhost", 403}, {"a file's origin", "Origin: file://", 403}, {"an extension's origin", "Origin: chrome-extension://abc", 403}, {"an origin with an escape", "Origin: http://loc%61lhost", 403},
		{"X-Forwarded-For", "X-Forwarded-For: 127.0.0.1", 403}, {"X-Forwarded-Host", "X-Forwarded-Host: localhost", 403}, {"X-Forwarded-Proto", "X-Forwarded-Proto: https", 403}, {"Forwarded", "Forwarded: for=127.0.0.1", 403},
		{"Forwarded in small letters", "forwarded: for=127.0.0.1", 403}, {"X-Real-IP", "X-Real-IP: 127.0.0.1", 403}, {"Via", "Via: 1.1 proxy", 403}, {"True-Client-IP", "True-Client-IP: 127.0.0.1", 403},
		{"CF-Connecting-IP", "CF-Connecting-IP: 127.0.0.1", 403}, {"X-Original-Forwarded-For", "X-Original-Forwarded-For: 127.0.0.1", 403}, {"CDN-Loop", "CDN-Loop: cdn", 403}, {"X-Envoy-External-Address", "X-Envoy-External-Address: 1.2.3.4", 403},
		{"a very long header", "X: " + strings.Repeat("x", 17<<10), 431}, {"many headers", strings.Repeat("X: y\r\n", 3<<10) + "X: y", 431}, {"a very long name", strings.Repeat("x", 17<<10) + ": 1", 431},
		{"a very long token", "Authorization: Bearer " + strings.Repeat("x", 17<<10), 431}, {"a cookie jar", "Cookie: " + strings.Repeat("a=b; ", 4<<10), 431},
	} {
		if c.status != http.StatusSwitchingProtocols {
			all = append(all, badRequest{c.name, upgradeRequest("", nil, c.line), c.status})
		}
	}
	return all
}

// statusOf reads the first line of an answer; 0: there is none.
func statusOf(c net.Conn) (status int) {
	_ = c.SetReadDeadline(time.Now().Add(await.Limit))
	line, _ := bufio.NewReader(c).ReadString('\n')
	_, _ = fmt.Sscanf(line, "HTTP/1.%d %d ", new(int), &status)
	return status
}

// Requests that cannot become a WebSocket are answered as docs/protocol.md says, and
// the others are served.
func TestBadUpgrades(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	for group, all := range map[string][]badRequest{"line": badLines(), "upgrade": badUpgrades(), "header": badHeaders()} {
		for _, c := range all {
			t.Run(group+"/"+c.name, func(t *testing.T) {
				conn := plaintest.Send(t, "", r.addr, c.text)
				if status := statusOf(conn); status != c.status {
					t.Errorf("it is answered %d, want %d", status, c.status)
				}
				_ = conn.Close()
				r.unharmed(t)
			})
		}
	}
}
