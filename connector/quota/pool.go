// Package quota bounds the bytes that are kept for many holders together.
package quota

import "sync/atomic"

// Pool is such a bound. Beyond it each holder has a share still, so that a flood
// of some refuses nothing small to the others. Safe for concurrent use; a nil
// Pool bounds nothing.
type Pool struct {
	limit, share int64
	used         atomic.Int64
	of           *Pool // what it is a part of; nil: of nothing
}

// NewPool bounds bytes at limit, and leaves each holder a share beyond it.
func NewPool(limit, share int) *Pool { return &Pool{limit: int64(limit), share: int64(share)} }

// Part is a pool of its own for some of the holders, which are bound by both. What they
// have beyond them is as in p.
func (p *Pool) Part(limit int) *Pool { return &Pool{limit: int64(limit), share: p.share, of: p} }

// Reserve counts n bytes more, unless that is too much. held is what one holder
// holds of the pool, and most what it may hold.
func (p *Pool) Reserve(held *atomic.Int64, n, most int) bool {
	if p == nil {
		return true
	}
	own, fits := held.Add(int64(n)), true
	for q := p; q != nil; q = q.of {
		fits = q.used.Add(int64(n)) <= q.limit && fits
	}
	if own <= p.share || own <= int64(most) && fits {
		return true
	}
	p.Release(held, n)
	return false
}

// Release counts n bytes less.
func (p *Pool) Release(held *atomic.Int64, n int) {
	if p == nil {
		return
	}
	held.Add(-int64(n))
	for q := p; q != nil; q = q.of {
		q.used.Add(-int64(n))
	}
}

// Used is how many bytes count now.
func (p *Pool) Used() int64 { return p.used.Load() }
