package ws

import "sync/atomic"

// smallMessage is the size of a message that is read without being counted.
const smallMessage = 4 << 10

// Tally bounds bytes that are kept for many holders together. Beyond the limit
// each holder has a share still, so that a flood of some refuses nothing small
// to the others. Safe for concurrent use; a nil Tally bounds nothing.
type Tally struct {
	limit, share int64
	used         atomic.Int64
}

// NewTally bounds bytes at limit, and leaves each holder a share beyond it.
func NewTally(limit, share int) *Tally { return &Tally{limit: int64(limit), share: int64(share)} }

// Reserve counts n bytes more, unless that is too much. held is what one holder
// holds of the tally, and most what it may hold.
func (t *Tally) Reserve(held *atomic.Int64, n, most int) bool {
	if t == nil {
		return true
	}
	own, all := held.Add(int64(n)), t.used.Add(int64(n))
	if own <= t.share || own <= int64(most) && all <= t.limit {
		return true
	}
	t.Release(held, n)
	return false
}

// Release counts n bytes less.
func (t *Tally) Release(held *atomic.Int64, n int) {
	if t != nil {
		held.Add(-int64(n))
		t.used.Add(-int64(n))
	}
}

// Used is how many bytes count now.
func (t *Tally) Used() int64 { return t.used.Load() }

// Reserve counts n bytes of what the connection has asked; false: they are too
// many.
func (c *Conn) Reserve(n int) bool { return c.requests.Reserve(&c.asked, n, c.limit) }

// Release counts n bytes less.
func (c *Conn) Release(n int) { c.requests.Release(&c.asked, n) }
