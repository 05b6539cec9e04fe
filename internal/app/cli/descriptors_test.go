package cli_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/tests/client"
)

// More sockets than there are descriptors keep people out while they are open,
// and nobody afterwards; it is ready only while people can come in.
func TestUpServesAgainAfterTooManySockets(t *testing.T) {
	embeddedtest.NeedEngine(t)
	const files = 1200
	p := beginCommand(t, exec.Command("sh", "-c", `ulimit -n 1200 && exec "$0" "$@"`,
		os.Args[0], "up", "--listen", "127.0.0.1:0", "--data", t.TempDir()))
	at := "http://" + p.find(`health is served" address=(\S+)`)
	chat := p.find(`(?m)^  chat +http://(\S+)$`)
	kafka := p.find(`(?m)^  Kafka +(\S+) `)
	await.That(t, "it is ready", func() bool { code, _ := readiness(t, at); return code == http.StatusOK })
	http.DefaultClient.CloseIdleConnections()

	for _, to := range []string{chat, kafka} {
		var open []net.Conn
		for range files {
			conn, err := net.DialTimeout("tcp", to, time.Second)
			if err != nil {
				break // the backlog is full
			}
			open = append(open, conn)
		}
		time.Sleep(time.Second) // for it to meet the end of its descriptors
		for _, conn := range open {
			conn.Close()
		}
		await.That(t, "people join again after too many sockets to "+to, func() bool { return joins(chat) })
		await.That(t, "it is ready again", func() bool { code, _ := readiness(t, at); return code == http.StatusOK })
		if !joins(chat) {
			t.Error("it is ready, and nobody can join")
		}
	}
}

func joins(chat string) bool {
	// A join alone may wait 5 s for history.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	c, _, err := client.Enter(ctx, "ws://"+chat+"/ws", "ada")
	if err != nil {
		return false
	}
	defer c.Cut()
	return c.Call(ctx, "join", map[string]any{"channel": "lobby"}, nil) == nil
}
