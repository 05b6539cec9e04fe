package ws

import "testing"

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
