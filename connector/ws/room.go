package ws

import "context"

// Answers wait for room: a client that asks for much and reads slowly gets all
// of it in the end, where its queue would else overflow. An answer may begin
// while the queue, with what was promised before, is less than half full; so
// the other half takes it, whatever its size within limits.page, and pushes.

// hasRoom reports whether an answer may be queued now. The lock is held.
func (c *Conn) hasRoom() bool { return c.queued+c.promised < c.limit/2 }

// RoomNow reports whether an answer may be queued now.
func (c *Conn) RoomNow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hasRoom()
}

// AwaitRoom waits until there is room for an answer of up to size bytes, and
// promises it; FreeRoom takes the promise back. It is false, and promises nothing,
// once the connection closes or ctx ends.
func (c *Conn) AwaitRoom(ctx context.Context, size int) bool {
	for {
		c.mu.Lock()
		if c.closing {
			c.mu.Unlock()
			return false
		}
		if c.hasRoom() {
			c.promised += size
			c.mu.Unlock()
			return true
		}
		if c.room == nil {
			c.room = make(chan struct{})
		}
		room := c.room
		c.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return false
		}
	}
}

// FreeRoom takes back a promise of size bytes: the answer is queued.
func (c *Conn) FreeRoom(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.promised -= size; c.hasRoom() {
		c.wake()
	}
}

// wake wakes those who wait for room. The lock is held.
func (c *Conn) wake() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// count counts the queue in the budget, if there is one. The lock is held.
func (c *Conn) count() {
	if c.counted || c.dead || c.budget == nil {
		return
	}
	c.counted = true
	c.budget.hold(c, c.inHand...)
	c.budget.hold(c, c.queue...)
	if c.closing {
		c.budget.ends(c)
	}
}

// countFull counts the queue of a connection whose socket is full.
func (c *Conn) countFull() {
	c.mu.Lock()
	c.count()
	counted := c.counted
	c.mu.Unlock()
	if counted {
		c.budget.shed()
	}
}

// sentSoFar is how many bytes have been handed to the connection.
func (c *Conn) sentSoFar() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent + c.queued
}

// blocked reports whether reading waits for room, or the peer takes a while to
// take what is queued: a pong may be unread, or the ping unsent.
func (c *Conn) blocked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing && (!c.hasRoom() || c.queued > takeBytes)
}

// Reserve counts n bytes of what the connection has asked; false: they are too
// many.
func (c *Conn) Reserve(n int) bool { return c.requests.Reserve(&c.asked, n, c.limit) }

// Release counts n bytes less.
func (c *Conn) Release(n int) { c.requests.Release(&c.asked, n) }
