// Package quota bounds the bytes that are kept for many holders together.
package quota

import "sync/atomic"

// Pool is such a bound. Beyond it each holder has a share still, so that a flood
// of some refuses nothing small to the others. Safe for concurrent use; a nil
// Pool bounds nothing.
type Pool struct {
	limit, share int64
	used         atomic.Int64
}

// NewPool bounds bytes at limit, and leaves each holder a share beyond it.
func NewPool(limit, share int) *Pool { return &Pool{limit: int64(limit), share: int64(share)} }

// Reserve counts n bytes more, unless that is too much. held is what one holder
// holds of the pool, and most what it may hold.
func (p *Pool) Reserve(held *atomic.Int64, n, most int) bool {
	if p == nil {
		return true
	}
	own, all := held.Add(int64(n)), p.used.Add(int64(n))
	if own <= p.share || own <= int64(most) && all <= p.limit {
		return true
	}
	p.Release(held, n)
	return false
}

// Release counts n bytes less.
func (p *Pool) Release(held *atomic.Int64, n int) {
	if p != nil {
		held.Add(-int64(n))
		p.used.Add(-int64(n))
	}
}

// Used is how many bytes count now.
func (p *Pool) Used() int64 { return p.used.Load() }
