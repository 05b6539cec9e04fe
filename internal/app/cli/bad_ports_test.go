package cli_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// badBytes are what no client of a port sends, and how the answer begins that
// ports of HTTP, of Kafka and of ClickHouse give; "": they close without one.
var badBytes = map[string]struct{ bytes, http, kafka, clickhouse string }{
	"nothing":                    {"", "", "", ""},
	"a line end":                 {"\r\n", badRequest, "", unexpected},
	"a word":                     {"hello\r\n\r\n", badRequest, "", unexpected},
	"zeros":                      {strings.Repeat("\x00", 64), badRequest, "", "\x02"},
	"ones":                       {strings.Repeat("\xff", 64), badRequest, "", unexpected},
	"64 KiB of noise":            {strings.Repeat("\xfe\x01\x80noise\x7f", 7282), "HTTP/1.1 4", "", unexpected},
	"a hello of TLS":             {"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", badRequest, "", unexpected},
	"SSH":                        {"SSH-2.0-OpenSSH_9.9\r\n", badRequest, "", unexpected},
	"half a request of HTTP":     {"GET /ws HTTP/1.1\r\nHost: loc", badRequest, "", notHTTP},
	"HTTP/2":                     {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 403", "", notHTTP},
	"a page's POST":              {"POST / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: close\r\nContent-Length: 8\r\n\r\nSELECT 1", "HTTP/1.1 403", "", notHTTP},
	"a proxy's CONNECT":          {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\nConnection: close\r\n\r\n", "HTTP/1.1 403", "", unexpected},
	"an open proxy's GET":        {"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "HTTP/1.1 403", "", notHTTP},
	"SOCKS":                      {"\x05\x01\x00", badRequest, "", unexpected},
	"the PROXY protocol":         {"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", badRequest, "", notHTTP},
	"a request of Kafka":         {"\x00\x00\x00\x0a\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff", badRequest, "", "\x02"},
	"one of 2 GiB":               {"\x7f\xff\xff\xff\x00\x12\x00\x00\x00\x00\x00\x01", badRequest, "", unexpected},
	"one of an unknown kind":     {"\x00\x00\x00\x0a\x75\x30\x00\x00\x00\x00\x00\x01\xff\xff", badRequest, "", ""},
	"a hello of ClickHouse, cut": {"\x00\x03abc", badRequest, "", ""},
	"one with a length of 2^63":  {"\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f", badRequest, "", ""},
	"one of nobody":              {"\x00\x01a\x01\x01\x01\x00\x06nobody\x00", badRequest, "", "\x02"},
	"Redis":                      {"*1\r\n$4\r\nPING\r\n", badRequest, "", unexpected},
	"PostgreSQL":                 {"\x00\x00\x00\x08\x04\xd2\x16\x2f", badRequest, "", ""},
	"a frame of a WebSocket":     {"\x81\x85\x00\x00\x00\x00hello", badRequest, "", unexpected},
	"a gzip bomb's head":         {"\x1f\x8b\x08\x00\x00\x00\x00\x00", badRequest, "", unexpected},
}

const (
	badRequest = "HTTP/1.1 400 Bad Request"
	notHTTP    = "HTTP/1.0 400 Bad Request"
	unexpected = "\x02\x65\x00\x00\x00\x0dDB::Exception" // code 101
)

// Every port that `parley up` opens takes what is not meant for it, and everybody
// else is served.
func TestBadBytesAtPorts(t *testing.T) {
	embeddedtest.NeedEngine(t)
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--admin", "127.0.0.1:0")
	chat, admin := p.find(`(?m)^  chat +http://(\S+)$`), p.find(`health is served" address=(\S+)`)
	kafka, clickhouse := p.find(`(?m)^  Kafka +(\S+)`), p.find(`(?m)^  ClickHouse +clickhouse://parley@([0-9.:]+)`)
	engine := embeddedtest.EngineOf(t, p.cmd.Process.Pid)
	for name, c := range badBytes {
		for port, at := range map[string]struct{ address, want string }{
			"the chat": {chat, c.http}, "--admin": {admin, c.http}, "the broker": {kafka, c.kafka}, "ClickHouse": {clickhouse, c.clickhouse},
		} {
			t.Run(fmt.Sprintf("%s at %s", name, port), func(t *testing.T) {
				answer := sendAll(t, at.address, c.bytes)
				if at.want == "" && answer != "" || !strings.HasPrefix(answer, at.want) {
					t.Errorf("it is answered %.80q, want %q", answer, at.want)
				}
				if got := status("http://" + admin + "/readyz"); got != 200 {
					t.Errorf("/readyz answers %d", got)
				}
			})
		}
	}
	if now := embeddedtest.EngineOf(t, p.cmd.Process.Pid); now != engine {
		t.Error("the engine ended: " + p.said())
	}
}

// sendAll sends bytes and their end, and reads until the server closes.
func sendAll(t *testing.T, to, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, text)
	_ = c.(*net.TCPConn).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection stays open after %.60q", answer)
	}
	return string(answer)
}
