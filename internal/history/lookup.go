package history

import (
	"context"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema/sql"
)

// A lookup waits until the one before began so long ago, or it is full: however
// many new channels are joined, finding nothing of them costs few queries.
const (
	lookupEvery = 50 * time.Millisecond
	fullLookup  = 24 // channels
)

// lookup is one query for which of several channels ClickHouse has messages.
type lookup struct {
	ctx        context.Context // within the span of its first caller
	generation uint32
	epoch      string
	keys       []any         // a partition and a channel for each caller; fixed once it runs
	full       chan struct{} // closed when it need not wait for more
	done       chan struct{}
	found      map[string]bool
	err        error
}

// silent reports whether ClickHouse surely has no message of a channel, private
// ones included, and so no change of one, nor a purge. Who asks at about the same time shares a query.
func (s *store) silent(ctx context.Context, channel string, at location) (bool, error) {
	l, err := s.lookUp(ctx, channel, at)
	if l == nil {
		return false, err
	}
	tracing.Share(ctx, l.ctx)
	select {
	case <-l.done:
		return l.err == nil && !l.found[channel], l.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// lookUp adds a channel to the lookup that runs next; nil where that is one of
// other tables.
func (s *store) lookUp(ctx context.Context, channel string, at location) (*lookup, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lookup
	if l == nil {
		l = &lookup{ctx: tracing.Within(s.alive, ctx), generation: at.generation, epoch: at.epoch, full: make(chan struct{}), done: make(chan struct{})}
		if err := s.spawn(func() { s.runLookup(l) }); err != nil {
			return nil, err
		}
		s.lookup = l
	}
	if l.generation != at.generation || l.epoch != at.epoch {
		return nil, nil
	}
	if l.keys = append(l.keys, at.partition, channel); len(l.keys) == 2*fullLookup {
		close(l.full)
	}
	return l, nil
}

// runLookup waits for its time, and looks up.
func (s *store) runLookup(l *lookup) {
	defer close(l.done)
	s.mu.Lock()
	wait := time.Until(s.lookedUp.Add(lookupEvery))
	s.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.full:
	case <-s.alive.Done():
	}
	s.mu.Lock()
	s.lookup, s.lookedUp = nil, time.Now()
	s.mu.Unlock()
	l.err = s.query(l.ctx, sql.Events(l.generation), func(ctx context.Context) (err error) {
		l.found, err = s.channels(ctx, l)
		return err
	})
}

// channels are those of a lookup that have messages, or purges.
func (s *store) channels(ctx context.Context, l *lookup) (map[string]bool, error) {
	query := `SELECT DISTINCT channel FROM ` + s.db.Table(sql.Events(l.generation)) +
		` WHERE epoch = ? AND (partition, channel) IN (` + inPairs(len(l.keys)/2) + `) AND kind IN ('chat', 'purge', 'sanction') AND void = 0`
	return s.names(ctx, query, append([]any{l.epoch}, l.keys...)...)
}

// inPairs are the places of n pairs of arguments, such as a partition and a channel.
func inPairs(n int) string { return strings.TrimPrefix(strings.Repeat(", (?, ?)", n), ", ") }

// names are what a query answers with, a text in each row.
func (s *store) names(ctx context.Context, query string, args ...any) (map[string]bool, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found[name] = true
	}
	return found, rows.Err()
}
