package ws

import "sync"

// frameCost is what a waiting frame takes besides its bytes: its place in the
// queue and in the budget.
const frameCost = 96

// Budget bounds what the queues of all connections hold together. A frame that
// waits in many queues is in memory once, and counts once. At the bound the
// connection with the longest queue is closed as a slow consumer.
//
// Connections enter it when their socket is full or their queue is longer than
// what a writer takes at once, so a fan-out to clients that read costs nothing.
// Safe for concurrent use; its lock is taken last, after conn.mu.
type Budget struct {
	limit  int
	onShed func() // nil: nothing to do

	mu       sync.Mutex
	used     int
	frames   map[piece]int      // in how many queues
	of       map[*Conn]int      // bytes in each queue
	ending   map[*Conn]struct{} // of these, connections that are being closed
	shedding bool
}

// piece is a frame, or several in one slice, by its place in memory.
type piece struct {
	first *byte
	size  int
}

// NewBudget bounds what waits at limit bytes. onShed is called for each
// connection that is closed for it; nil: nothing to do.
func NewBudget(limit int, onShed func()) *Budget {
	return &Budget{limit: limit, onShed: onShed, frames: map[piece]int{}, of: map[*Conn]int{}, ending: map[*Conn]struct{}{}}
}

// hold counts frames that wait in c's queue.
func (b *Budget) hold(c *Conn, frames ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range frames {
		cost := len(f) + frameCost
		p := piece{&f[0], len(f)}
		if b.frames[p]++; b.frames[p] == 1 {
			b.used += cost
		}
		b.of[c] += cost
	}
}

// release counts frames that wait in c's queue no more.
func (b *Budget) release(c *Conn, frames ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range frames {
		cost := len(f) + frameCost
		p := piece{&f[0], len(f)}
		if b.frames[p]--; b.frames[p] == 0 {
			delete(b.frames, p)
			b.used -= cost
		}
		b.of[c] -= cost
	}
	if b.of[c] == 0 {
		delete(b.of, c)
		delete(b.ending, c)
	}
}

// ends notes that c is being closed: what it still holds is the first to go.
func (b *Budget) ends(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[c] > 0 {
		b.ending[c] = struct{}{}
	}
}

// fullest is the connection to close: one that is being closed already, else
// the one with the longest queue. The lock is held.
func (b *Budget) fullest() (found *Conn) {
	for c := range b.ending {
		if found == nil || b.of[c] > b.of[found] {
			found = c
		}
	}
	if found != nil {
		return found
	}
	for c, n := range b.of {
		if found == nil || n > b.of[found] {
			found = c
		}
	}
	return found
}

// Held is how many bytes count now.
func (b *Budget) Held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

func (b *Budget) isHalfFull() bool { return b.Held() > b.limit/2 }

// shed closes the connections with the longest queues until the bound is kept.
// No connection's lock is held.
func (b *Budget) shed() {
	for first := true; ; first = false {
		b.mu.Lock()
		var fullest *Conn
		if b.used > b.limit && (!first || !b.shedding) {
			fullest = b.fullest()
		}
		if fullest == nil {
			if !first {
				b.shedding = false
			}
			b.mu.Unlock()
			return
		}
		b.shedding = true
		b.mu.Unlock()
		if fullest.shed() && b.onShed != nil {
			b.onShed()
		}
	}
}
