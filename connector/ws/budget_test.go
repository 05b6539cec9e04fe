package ws

import (
	"bytes"
	"testing"
)

// What many members wait for is in memory once, and counts once: a burst to a
// large channel throws nobody out.
func TestSharedFramesCountOnce(t *testing.T) {
	b := NewBudget(10<<20, nil)
	frame := TextFrame(make([]byte, 100_000))
	var conns []*Conn
	for range 500 {
		_, c := flushed(t)
		c.budget = b
		conns = append(conns, c)
		for range 10 { // more than the socket takes
			c.Send(frame)
		}
	}
	for _, c := range conns {
		if c.Closing() {
			t.Fatal("a member was thrown out")
		}
	}
	if held := b.Held(); held == 0 || held > 200_000 {
		t.Errorf("one frame of 100,000 bytes in many queues counts as %d", held)
	}
	for _, c := range conns {
		c.Abort()
	}
	for _, c := range conns {
		c.awaitIdle()
	}
	if held := b.Held(); held != 0 || len(b.of) != 0 || len(b.frames) != 0 {
		t.Errorf("%d bytes, %d queues and %d frames count when all are gone", held, len(b.of), len(b.frames))
	}
}

// What may be left out is, once half of what may wait does: of one queue, or of all
// together where the queue is a long one.
func TestHalfFullQueuesAreOfferedNothing(t *testing.T) {
	offered := func(limit, budget, sent int) bool {
		t.Helper()
		client, c := flushed(t)
		defer client.Close()
		defer c.Abort()
		c.limit, c.budget = limit, NewBudget(budget, nil)
		for range sent {
			c.Send(bytes.Repeat([]byte{1}, 100_000)) // the socket takes some of them
		}
		return c.Offer([]byte{1})
	}
	for _, of := range []struct {
		limit, budget, sent int
		want                bool
	}{
		{1 << 20, 100 << 20, 0, true},
		{100 << 20, 100 << 20, 200, true},
		{24 << 20, 100 << 20, 200, false},
		{100 << 20, 24 << 20, 200, false},
	} {
		if got := offered(of.limit, of.budget, of.sent); got != of.want {
			t.Errorf("with %d of 100,000 bytes sent, %d may wait, %d in all: %v", of.sent, of.limit, of.budget, got)
		}
	}
}
