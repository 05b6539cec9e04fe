package embedded_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
)

// The engine outlives strangers, wrong logins, and clients that leave in the
// middle of an answer or of an insert.
func TestClickHouseOutlivesItsClients(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
	defer stopClickHouse(t, c)
	execute(t, c.Addr(), "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	execute(t, c.Addr(), "CREATE DATABASE `chat-ö`")
	execute(t, c.Addr(), "INSERT INTO t SELECT number, repeat('x', 1000) FROM numbers(50000)")
	owner := clickhouse.Auth{Username: embedded.User, Password: testPassword}
	missing := owner
	missing.Database = "missing"
	odd := owner
	odd.Database = "chat-ö"
	if err := ping(c.Addr(), odd); err != nil {
		t.Errorf("a database with a letter beyond ASCII in its name: %v", err)
	}
	pid := c.Pid()
	for what, harm := range map[string]func(){
		"a wrong password":    func() { _ = ping(c.Addr(), clickhouse.Auth{Username: embedded.User, Password: "wrong"}) },
		"nobody":              func() { _ = ping(c.Addr(), clickhouse.Auth{Username: "nobody"}) },
		"the user default":    func() { _ = ping(c.Addr(), clickhouse.Auth{}) },
		"an unknown database": func() { _ = ping(c.Addr(), missing) },
		"odd databases": func() {
			for _, name := range []string{"chat-prod", "..", "a/b", "x'y", "\xff", "a\x00", strings.Repeat("n", 300)} {
				odd := owner
				odd.Database = name
				_ = ping(c.Addr(), odd)
			}
		},
		"TLS": func() {
			if conn, err := tls.Dial("tcp", c.Addr(), &tls.Config{InsecureSkipVerify: true}); err == nil {
				conn.Close()
			}
		},
		"a web page":      func() { send(t, c.Addr(), "POST / HTTP/1.1\r\nHost: a\r\n\r\nSELECT 1") },
		"garbage":         func() { send(t, c.Addr(), "\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01") },
		"half a hello":    func() { send(t, c.Addr(), "\x00\x03abc") },
		"cancelled reads": func() { cancelReads(t, c.Addr(), owner) },
		"cut inserts":     func() { cutInserts(t, c.Addr(), owner) },
	} {
		harm()
		if err := ping(c.Addr(), owner); err != nil || c.Pid() != pid {
			t.Errorf("after %s: %v, process %d, before %d", what, err, c.Pid(), pid)
			await.That(t, "it is back", func() bool { return ping(c.Addr(), owner) == nil })
			pid = c.Pid()
		}
	}
}

// send sends bytes and their end, and waits until the server has closed.
func send(t *testing.T, addr, bytes string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, bytes)
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if answer, err := io.ReadAll(conn); isTimeout(err) || strings.Contains(string(answer), "root:") {
		t.Errorf("%q is answered with %q, %v", bytes, answer, err)
	}
}

// cancelReads gives reads up at any moment, as a flood of requests does.
func cancelReads(t *testing.T, addr string, auth clickhouse.Auth) {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: auth, MaxOpenConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(30000))*time.Microsecond)
				rows, err := conn.Query(ctx, "SELECT s, sleepEachRow(0.00001) FROM t ORDER BY a LIMIT 20000 SETTINGS max_block_size = 100")
				if err == nil {
					for rows.Next() {
					}
					rows.Close()
				}
				cancel()
			}
		})
	}
	all.Wait()
}

// cutInserts closes connections in the middle of inserts.
func cutInserts(t *testing.T, addr string, auth clickhouse.Auth) {
	t.Helper()
	for i := range 10 {
		var cut net.Conn
		conn, err := clickhouse.Open(&clickhouse.Options{
			Addr: []string{addr}, Auth: auth,
			DialContext: func(ctx context.Context, addr string) (net.Conn, error) {
				var d net.Dialer
				c, err := d.DialContext(ctx, "tcp", addr)
				cut = c
				return c, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := conn.PrepareBatch(within(t), "INSERT INTO t")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 1000 * i {
			if err := batch.Append(uint64(n), fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			_ = batch.Flush()
		}
		_ = cut.Close()
		_ = batch.Abort()
		conn.Close()
	}
}
