package ws

import (
	"net"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/wstest"
)

// A pong that cannot be read, because a request before it is still being handled,
// is not taken for missing; one that was not sent is.
func TestAPongWaitsForTheRequestBeforeIt(t *testing.T) {
	t.Parallel()
	const every, patience = time.Minute, time.Second
	conns, begun, handled := make(chan *Conn, 1), make(chan struct{}), make(chan struct{})
	addr := serving(t, nil, func(c *Conn) {
		conns <- c
		_ = c.Read(func([]byte) { close(begun); <-handled })
		c.Discard()
	})
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	wstest.Upgrade(t, client)
	c, now := <-conns, time.Now()
	send := func(frame string) {
		t.Helper()
		if _, err := client.Write([]byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	probe := func(later time.Duration) {
		c.awaitIdle()
		now = now.Add(later)
		c.Probe(now, every, patience, func(time.Time) bool { return false })
	}
	send(frame(fin|text, "a request that takes its time"))
	<-begun
	probe(2 * every) // which pings
	if got, err := wstest.Read(client); err != nil || got.First != fin|ping {
		t.Fatal(got, err)
	}
	send(frame(fin|pong, ""))
	if probe(2 * patience); c.Closing() {
		t.Fatal("closed although the pong waits to be read")
	}
	close(handled)
	await.That(t, "the pong is read", c.ponged.Load)
	probe(2 * patience) // which takes note of it
	probe(2 * every)    // and pings again
	if probe(2 * patience); !c.Closing() {
		t.Error("not closed without a pong")
	}
}
