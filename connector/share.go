package connector

import (
	"context"
	"sync"
)

// readsOfUser is how many of the concurrentReads one user may have under way.
// A session has fewer: as many answers as its queue has room for.
const readsOfUser = 8

// shares give each user a part of the reads of history, so that a flood of one
// holds up no other. Safe for concurrent use.
type shares struct {
	mu sync.Mutex
	of map[string]*share // of users who read or wait
}

type share struct {
	turns chan struct{} // a slot for each read under way
	users int           // who read or wait; guarded by shares.mu
}

func newShares() *shares { return &shares{of: map[string]*share{}} }

// await waits for a turn of the user's, until ctx ends; done gives it back.
func (s *shares) await(ctx context.Context, user string) (done func(), err error) {
	s.mu.Lock()
	mine := s.of[user]
	if mine == nil {
		mine = &share{turns: make(chan struct{}, readsOfUser)}
		s.of[user] = mine
	}
	mine.users++
	s.mu.Unlock()
	select {
	case mine.turns <- struct{}{}:
		return func() { <-mine.turns; s.forget(user, mine) }, nil
	case <-ctx.Done():
		s.forget(user, mine)
		return nil, ctx.Err()
	}
}

func (s *shares) forget(user string, mine *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(s.of, user)
	}
}
