package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// maxConns bounds the connections to ClickHouse, and so the queries at once.
const maxConns = 16

// store is the part of history that is in ClickHouse.
type store struct {
	db     *clickhouse.DB
	cfg    *Config
	tracer *tracing.Tracer
	alive  context.Context
	work   sync.WaitGroup
	away   atomic.Bool  // the server does not answer; a probe is under way
	warned atomic.Int64 // when a refusal was logged last, Unix nanoseconds

	mu      sync.Mutex // guards what follows
	closed  bool
	marks   marks
	marked  time.Time // when the reading of marks began; zero: they are out of date
	flight  *flight   // the read of watermarks under way; nil for none
	epochs  []pastEpoch
	doubted bool // a sign of life is asked for, after a time-out

	lookup   *lookup // the next; nil: nobody waits for one
	lookedUp time.Time
}

// markAge is how old watermarks may be that a read begins with: old ones are
// correct, the log has what is above them.
const markAge = 100 * time.Millisecond

// marks are the watermarks of one generation of the tables.
type marks struct {
	generation uint32
	seq        []int64 // by partition; -1 without one
}

// mark is a partition's watermark.
type mark struct {
	generation uint32
	seq        int64
}

// flight is a read of watermarks that many callers wait for.
type flight struct {
	ctx   context.Context // within the span of its first caller
	done  chan struct{}
	marks marks
	err   error
}

func newStore(ctx context.Context, db *clickhouse.DB, cfg *Config, tracer *tracing.Tracer) *store {
	return &store{db: db, cfg: cfg, tracer: tracer, alive: ctx, marks: noMarks(cfg.Epoch.Partitions)}
}

func noMarks(partitions int) marks { return marks{seq: slices.Repeat([]int64{-1}, partitions)} }

// close waits for what is under way; the store's context has ended.
func (s *store) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
	s.db.Close()
}

// spawn runs f in a goroutine that close waits for. The lock is held.
func (s *store) spawn(f func()) error {
	if s.closed {
		return ErrClosed
	}
	s.work.Go(f)
	return nil
}

// known is the newest watermark of a partition, without I/O.
func (s *store) known(partition int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.marks.seq[partition]
}

// watermark reads a partition's watermark, unless it was read a moment ago.
// Callers share the read under way.
func (s *store) watermark(ctx context.Context, partition int) (mark, error) {
	s.mu.Lock()
	if time.Since(s.marked) < markAge {
		defer s.mu.Unlock()
		return mark{s.marks.generation, s.marks.seq[partition]}, nil
	}
	f := s.flight
	if f == nil {
		f = &flight{ctx: tracing.Within(s.alive, ctx), done: make(chan struct{})}
		if err := s.spawn(func() { s.readFor(f) }); err != nil {
			s.mu.Unlock()
			return mark{}, err
		}
		s.flight = f
	}
	s.mu.Unlock()
	tracing.Share(ctx, f.ctx)
	select {
	case <-f.done:
	case <-ctx.Done():
		return mark{}, ctx.Err()
	}
	if f.err != nil {
		return mark{}, f.err
	}
	return mark{f.marks.generation, f.marks.seq[partition]}, nil
}

// readFor reads the watermarks for all who wait.
func (s *store) readFor(f *flight) {
	began := time.Now()
	f.err = s.within(f.ctx, func(ctx context.Context) error {
		var err error
		f.marks, err = s.readMarks(ctx)
		return err
	})
	s.mu.Lock()
	if f.err == nil {
		s.marks, s.marked = f.marks, began
	}
	s.flight = nil
	s.mu.Unlock()
	close(f.done)
}

// readMarks reads the watermarks of the current generation. When there are no
// tables, nothing was projected yet.
func (s *store) readMarks(ctx context.Context) (marks, error) {
	s.mu.Lock()
	m := marks{generation: s.marks.generation}
	s.mu.Unlock()
	for range 3 {
		if m.generation == 0 {
			g, err := s.db.Generation(ctx)
			if clickhouse.IsMissing(err) || err == nil && g == 0 {
				return noMarks(s.cfg.Epoch.Partitions), nil
			}
			if err != nil {
				return marks{}, err
			}
			m.generation = g
		}
		current, err := s.readGeneration(ctx, &m)
		switch {
		case clickhouse.IsMissing(err):
			m.generation = 0
		case err != nil:
			return marks{}, err
		case current == m.generation:
			return m, nil
		default:
			m.generation = current
		}
	}
	return noMarks(s.cfg.Epoch.Partitions), nil
}

// readGeneration reads the watermarks of m's generation, and which one is
// current.
func (s *store) readGeneration(ctx context.Context, m *marks) (current uint32, err error) {
	span := s.tracer.Query(ctx, "SELECT", s.db.Database(), sql.Watermarks(m.generation))
	defer func() { span.End(unlessMissing(err)) }()
	var partitions []int32
	var seqs []int64
	var format int32
	err = s.db.QueryRow(ctx, `SELECT (SELECT max(generation) FROM `+s.db.Table(sql.Generations)+`), groupArray(partition), groupArray(w), max(f)
		FROM (SELECT partition, max(seq) AS w, max(format) AS f FROM `+s.db.Table(sql.Watermarks(m.generation))+` WHERE epoch = ? GROUP BY partition)`,
		s.cfg.Epoch.Epoch).Scan(&current, &partitions, &seqs, &format)
	if err == nil && format > schema.NewestFormat {
		return 0, &schema.NewerError{What: "format", Number: format}
	}
	m.seq = noMarks(s.cfg.Epoch.Partitions).seq
	for i, p := range partitions {
		if int(p) < len(m.seq) {
			m.seq[p] = seqs[i]
		}
	}
	return current, err
}

// unlessMissing is err, or nil when it means that there are no tables.
func unlessMissing(err error) error {
	if clickhouse.IsMissing(err) {
		return nil
	}
	return err
}

// query runs a query of one table as within does.
func (s *store) query(ctx context.Context, table string, f func(context.Context) error) error {
	return s.within(ctx, func(ctx context.Context) error {
		span := s.tracer.Query(ctx, "SELECT", s.db.Database(), table)
		err := f(ctx)
		span.End(err)
		return err
	})
}

// within runs f within the time for a query, or fails at once while the server
// is away. Errors are ErrUnavailable, ErrClosed, a *schema.NewerError or that
// of ctx.
func (s *store) within(ctx context.Context, f func(context.Context) error) error {
	if s.away.Load() {
		return ErrUnavailable
	}
	limited, cancel := context.WithTimeout(ctx, s.cfg.QueryTime)
	defer cancel()
	err := f(limited)
	var newer *schema.NewerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &newer):
		return err
	case s.alive.Err() != nil:
		return ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case clickhouse.IsMissing(err): // the caller looks for the tables again
		s.forgetMarks()
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case clickhouse.IsException(err):
		s.warn(err)
	case clickhouse.IsTimeout(err):
		s.doubt()
	default:
		s.fail(err)
	}
	s.db.Failed(err)
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// forgetMarks has the next read begin with fresh watermarks.
func (s *store) forgetMarks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marked = time.Time{}
}

// doubt asks the server for a sign of life after a query that took too long.
// The time-out alone is that query's: the server may serve others well.
func (s *store) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubted {
		return
	}
	err := s.spawn(func() {
		if err := s.db.Reach(s.alive); err != nil && !clickhouse.IsException(err) && !clickhouse.IsBusy(err) {
			s.fail(err)
		}
		s.mu.Lock()
		s.doubted = false
		s.mu.Unlock()
	})
	s.doubted = err == nil
}

// probe asks for a sign of life.
func (s *store) probe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.spawn(func() { _ = s.within(s.alive, s.db.Reach) }) // which logs what is wrong
}

// warnEvery is how often it is logged that the server answers, but refuses.
const warnEvery = time.Minute

// warn logs why the server refuses a query, such as a wrong password.
func (s *store) warn(err error) {
	now, last := time.Now().UnixNano(), s.warned.Load()
	if (last == 0 || now-last >= int64(warnEvery)) && s.warned.CompareAndSwap(last, now) {
		s.cfg.Logger.Warn("ClickHouse refuses to be read, history is limited to what is in memory and in the log",
			"servers", s.db.Addresses(), "error", err)
	}
}

// fail makes queries fail at once until a probe is answered.
func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.away.CompareAndSwap(false, true) {
		return
	}
	since := time.Now()
	s.cfg.Logger.Warn("ClickHouse cannot be read, history is limited to what is in memory and in the log",
		"servers", s.db.Addresses(), "error", err)
	s.work.Go(func() {
		if s.db.Answers(s.alive) == nil {
			s.away.Store(false)
			s.cfg.Logger.Info("ClickHouse can be read again", "after", time.Since(since).Round(time.Millisecond))
		}
	})
}
