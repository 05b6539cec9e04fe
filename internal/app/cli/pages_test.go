package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// A web page of another site can send requests to every port of this machine:
// under the port's own name, and, where its DNS says so, under one of its own.
// Nothing that `parley up` opens does anything for it, or ends.
func TestUpIsClosedToPages(t *testing.T) {
	embeddedtest.NeedEngine(t)
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--admin", "127.0.0.1:0")
	ports := map[string]string{
		"the chat":   p.find(`(?m)^  chat +http://(\S+)$`),
		"the broker": p.find(`(?m)^  Kafka +(\S+)`),
		"ClickHouse": p.find(`(?m)^  ClickHouse +clickhouse://parley@([0-9.:]+)`),
		"--admin":    p.find(`health is served" address=(\S+)`),
	}
	engine := embeddedtest.EngineOf(t, p.cmd.Process.Pid)
	for name, at := range ports {
		_, port, _ := net.SplitHostPort(at)
		for host, origin := range map[string]string{
			"127.0.0.1:" + port:    "http://evil.example",
			"localhost:" + port:    "null",
			"evil.example:" + port: "http://evil.example:" + port,
		} {
			head := fmt.Sprintf("Host: %s\nOrigin: %s\nConnection: close", host, origin)
			for _, request := range []string{
				"GET / HTTP/1.1\n" + head,
				"GET /metrics HTTP/1.1\n" + head,
				"OPTIONS / HTTP/1.1\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: x\n" + head,
				"PUT /x HTTP/1.1\nContent-Length: 1\n" + head + "\n\nx",
				"POST /?add_http_cors_header=1&query=SELECT+1 HTTP/1.1\nContent-Type: text/plain\nContent-Length: 8\n" + head + "\n\nSELECT 1",
				"GET /ws HTTP/1.1\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n" + strings.Replace(head, "close", "Upgrade", 1),
			} {
				answer := answerOf(t, at, request)
				own := name == "--admin" && !strings.HasPrefix(host, "evil") // a page gets the answer, and may not read it
				if bytes.Contains(answer, []byte("HTTP/1.1 101")) || bytes.Contains(answer, []byte(" 200 ")) && !own ||
					bytes.Contains(bytes.ToLower(answer), []byte("access-control-allow")) {
					t.Errorf("%s answers %q with %q", name, request, answer)
				}
			}
		}
	}
	if now := embeddedtest.EngineOf(t, p.cmd.Process.Pid); now != engine {
		t.Error("the engine ended: " + p.said())
	}
	if got := status("http://" + ports["--admin"] + "/readyz"); got != 200 {
		t.Errorf("/readyz answers %d", got)
	}
}

// answerOf sends a request, with \n for CRLF, and returns what comes back.
func answerOf(t *testing.T, at, request string) []byte {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head, body, _ := strings.Cut(request, "\n\n")
	if _, err := io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(await.Limit))
	answer := make([]byte, 4096)
	n, _ := io.ReadAtLeast(c, answer, 64)
	return answer[:n]
}
