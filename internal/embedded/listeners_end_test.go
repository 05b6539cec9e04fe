package embedded

import (
	"errors"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// A server whose listener for clients has ended for good reports it, for its owner
// to end it: nobody could come any more.
func TestServersEndWithTheirListeners(t *testing.T) {
	ended := func(what string, done <-chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-time.After(await.Limit):
			t.Fatalf("%s goes on without its listener", what)
		}
	}
	b, err := StartBroker(t.Context(), BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ln.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	ended("the broker", b.Ended())
	if err := b.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := FindEngine(); err != nil {
		t.Skip(err)
	}
	c, err := StartClickHouse(t.Context(), ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.gate.ln.Close(); err != nil {
		t.Fatal(err)
	}
	ended("ClickHouse", c.Done())
	if err := c.Stop(t.Context()); !errors.Is(err, errListener) {
		t.Errorf("its end is reported as %v", err)
	}
}
