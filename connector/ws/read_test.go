package ws

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/wstest"
)

// A client that floods is read no further once its connection is being closed, and
// hears the code all the same.
func TestAFloodIsNotReadWhileItIsClosed(t *testing.T) {
	t.Parallel()
	const code, frames = 4000, 40_000 // more than a moment takes to read
	ended, handled := make(chan error, 1), 0
	addr := serving(t, nil, func(c *Conn) {
		err := c.Read(func([]byte) {
			handled++
			c.Close(code, "enough")
		})
		ended <- err
		c.Discard()
	})
	client, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	wstest.Upgrade(t, client)
	go func() { // who does not wait for answers
		_, _ = client.Write([]byte(strings.Repeat(frame(fin|text, strings.Repeat("x", 100)), frames)))
	}()
	if err := <-ended; !errors.Is(err, errClosing) || handled != 1 {
		t.Errorf("%d messages were handled, and reading ended with: %v", handled, err)
	}
	if got, err := wstest.Read(client); err != nil || got.Code() != code {
		t.Errorf("the client heard %v, %v", got, err)
	}
}
