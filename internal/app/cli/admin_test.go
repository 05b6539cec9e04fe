package cli_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
)

// adminOf starts a command whose admin server listens at an address, and
// returns where.
func adminOf(t *testing.T, listen string) string {
	t.Helper()
	worker := begin(t, "chatworker", "--kafka", "127.0.0.1:1", "--admin", listen)
	_, port, err := net.SplitHostPort(worker.find(`health is served" address=(\S+)`))
	if err != nil {
		t.Fatal(err)
	}
	return "127.0.0.1:" + port
}

func get(host string) string { return "GET /metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }

// A page of a name that somebody's DNS resolves to 127.0.0.1 reads no metrics.
// Who scrapes from elsewhere has a name for the machine.
func TestAdminOnLoopbackAnswersToLocalNames(t *testing.T) {
	t.Parallel()
	at := adminOf(t, "127.0.0.1:0")
	for host, want := range map[string]int{
		at: 200, "localhost": 200, "LocalHost.:9464": 200, "127.8.8.8": 200, "[::1]:9464": 200, "[::ffff:127.0.0.1]": 200,
		"evil.example": 403, "evil.example:9464": 403, "localhost.evil.example": 403, "192.0.2.1:9464": 403, "127.0.0.1.evil.example": 403, "": 403,
	} {
		if status := plaintest.Status(plaintest.Send(t, "", at, get(host))); status != want {
			t.Errorf("Host %q is answered with %d, want %d", host, status, want)
		}
	}
	beyond := adminOf(t, "0.0.0.0:0")
	if status := plaintest.Status(plaintest.Send(t, "", beyond, get("parley-0.example:9464"))); status != 200 {
		t.Errorf("beyond loopback, a name of one's own is answered with %d", status)
	}
}

// Whoever holds connections, dawdles or sends without an end keeps no probe out.
//
//parley:bound connections to `--admin`
func TestAdminIsBounded(t *testing.T) {
	t.Parallel()
	at := adminOf(t, "127.0.0.1:0")
	if status := plaintest.Status(plaintest.Send(t, "", at, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 16 KiB is answered with %d", status)
	}
	var held []net.Conn
	for range 65 {
		c := plaintest.Send(t, "", at, get("localhost"))
		if status := plaintest.Status(c); status != 200 {
			t.Fatalf("a request is answered with %d", status)
		}
		held = append(held, c)
	}
	isCut := func(c net.Conn, within time.Duration) bool {
		_ = c.SetReadDeadline(time.Now().Add(within))
		_, err := io.Copy(io.Discard, c)
		return err == nil
	}
	if !isCut(held[0], await.Limit) {
		t.Error("the oldest of 65 connections stays")
	}
	if isCut(held[64], 100*time.Millisecond) {
		t.Error("the newest of 65 connections is cut")
	}
	// A body that is announced and never comes ends with the request's time.
	slow := plaintest.Send(t, "", at, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
	if !isCut(slow, await.Limit) {
		t.Error("a request without an end is waited for")
	}
}
