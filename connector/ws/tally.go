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

// Take counts n bytes more, unless that is too much. held is what one holder
// holds of the tally, and most what it may hold.
func (t *Tally) Take(held *atomic.Int64, n, most int) bool {
	if t == nil {
		return true
	}
	own, all := held.Add(int64(n)), t.used.Add(int64(n))
	if own <= t.share || own <= int64(most) && all <= t.limit {
		return true
	}
	t.Give(held, n)
	return false
}

// Give counts n bytes less.
func (t *Tally) Give(held *atomic.Int64, n int) {
	if t != nil {
		held.Add(-int64(n))
		t.used.Add(-int64(n))
	}
}

// Used is how many bytes count now.
func (t *Tally) Used() int64 { return t.used.Load() }

// Take counts n bytes of what the connection has asked; false: they are too
// many.
func (c *Conn) Take(n int) bool { return c.requests.Take(&c.asked, n, c.limit) }

// Give counts n bytes less.
func (c *Conn) Give(n int) { c.requests.Give(&c.asked, n) }
