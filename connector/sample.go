package connector

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// sampleEvery is how often a warning that requests cause is logged at most.
const sampleEvery = time.Minute

// sample logs a warning that clients can cause as often as they like: the first
// one, and then one a minute that says how many there were. It never says
// anything of the client's own, neither names nor text. Safe for concurrent use.
type sample struct {
	message string

	mu     sync.Mutex
	last   time.Time
	silent int // since last
}

func (s *sample) warn(ctx context.Context, logger *slog.Logger, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && time.Since(s.last) < sampleEvery {
		s.silent++
		return
	}
	logger.WarnContext(ctx, s.message, "error", err, "more_since_the_last_line", s.silent)
	s.last, s.silent = time.Now(), 0
}
