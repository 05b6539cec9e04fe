package ws

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// queueBytes is what limits.queue is by default.
const queueBytes = 4 << 20

// fullLine takes nothing.
type fullLine struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *fullLine) TryWrite([]byte) (int, error) { return 0, nil }

func (l *fullLine) Write([]byte) (int, error) {
	<-l.closed
	return 0, net.ErrClosed
}

func (l *fullLine) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *fullLine) SetDeadline(time.Time) error     { return nil }
func (l *fullLine) SetReadDeadline(time.Time) error { return nil }

// unread is a connection whose client reads nothing, and the bytes that its
// queue may hold.
func unread(t *testing.T) (*Conn, int) {
	t.Helper()
	line := &fullLine{closed: make(chan struct{})}
	t.Cleanup(func() { _ = line.Close() })
	return New(line, Options{Queue: queueBytes, Flushers: NewFlushers()}), queueBytes
}

// A client that reads nothing has no more in memory than its queue may hold,
// and what a writer has in hand.
//
//parley:bound a client's queue
func TestQueueOfAClientIsBounded(t *testing.T) {
	for name, size := range map[string]int{"the largest messages": 6 * schema.MaxBody, "the smallest answers": 37} {
		t.Run(name, func(t *testing.T) {
			c, limit := unread(t)
			before, most := inuse.Heap(), 0
			for sent := 0; !c.Closing(); sent++ {
				c.Send(TextFrame(make([]byte, size)))
				if most = max(most, c.Waiting()); sent > limit {
					t.Fatal("it is never full")
				}
				if size > 1000 || sent%20_000 == 0 {
					if heap := inuse.Heap() - before; heap > heapOf(limit, size) {
						t.Fatalf("%d bytes wait, and the heap grew by %d", c.Waiting(), heap)
					}
				}
			}
			if most > limit || most < limit/2 || c.ClosedWith() != rpc.CloseSlow {
				t.Errorf("%d bytes waited at most, closed with %d", most, c.ClosedWith())
			}
			if waits := c.Waiting(); waits > size+64<<10+200 {
				t.Errorf("%d bytes wait once it is thrown out", waits)
			}
		})
	}
}

// heapOf is what a queue of limit bytes in frames of that size may take.
func heapOf(limit, size int) int { return limit + limit/4 + limit/size*96 + 1<<20 }

// An empty queue takes one frame of any size, and no second one.
//
//parley:bound a client's queue
func TestEmptyQueueTakesOneFrame(t *testing.T) {
	c, limit := unread(t)
	c.Send(make([]byte, 3*limit))
	if c.Closing() {
		t.Fatal("a frame that is larger than the queue throws out a client with nothing queued")
	}
	c.Send(make([]byte, 1))
	if c.ClosedWith() != rpc.CloseSlow {
		t.Errorf("with a second one it is closed with %d", c.ClosedWith())
	}
}
