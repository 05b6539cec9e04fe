package chatworker

import "sync"

// underWay is a set of what is being done. Safe for concurrent use.
type underWay[T comparable] struct {
	mu  sync.Mutex
	all map[T]struct{}
}

func newUnderWay[T comparable]() *underWay[T] { return &underWay[T]{all: map[T]struct{}{}} }

// begin adds x; false when it is there already.
func (u *underWay[T]) begin(x T) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, before := u.all[x]
	u.all[x] = struct{}{}
	return !before
}

func (u *underWay[T]) end(x T) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, x)
}
