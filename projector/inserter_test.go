package projector

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
)

// newTestInserter returns an inserter that writes what is full, or an hour old.
func newTestInserter(s *system, rows int) (*inserter, *store) {
	s.t.Helper()
	cfg := s.config()
	cfg.BatchAge, cfg.BatchRows = time.Hour, rows
	p, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	st := s.store()
	return newInserter(p, st), st
}

// batchOf is n rows of partition 0 that end at offset upTo.
func batchOf(n int, upTo int64) batch {
	var b batch
	for i := range n {
		r := row{channel: "lobby", seq: upTo - int64(n-1-i), kind: "chat", body: "hi"}
		b.rows = append(b.rows, r)
		b.bytes += r.size()
	}
	b.upTo = watermark{seq: upTo, format: 1}
	return b
}

// What was gathered when the end comes is written.
func TestInserterWritesTheRest(t *testing.T) {
	s := newSystem(t)
	in, st := newTestInserter(s, 100)
	if err := in.add(s.ctx, 0, batchOf(3, 3)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := in.run(ctx); err != nil {
		t.Fatal(err)
	}
	if w, err := st.watermark(s.ctx, 0); err != nil || w.seq != 3 || in.written(0) != 3 || in.written(1) != -1 {
		t.Errorf("the watermark is %d, error %v, the inserter says %d and %d", w.seq, err, in.written(0), in.written(1))
	}
	if in.p.Stats().Rows != 3 {
		t.Errorf("%d rows were counted, want 3", in.p.Stats().Rows)
	}
}

// While ClickHouse is away the inserter holds two batches, and who has more
// waits until one of them is written.
func TestInserterIsBounded(t *testing.T) {
	s := newSystem(t)
	proxy := clickhousetest.NewProxy(t, s.dsn)
	dsn := s.dsn
	s.dsn = proxy.DSN
	in, _ := newTestInserter(s, 10)
	s.dsn = dsn
	proxy.Cut()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- in.run(ctx) }()
	if err := in.add(ctx, 0, batchOf(10, 10)); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the first batch is being written", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.filling.empty()
	})
	if err := in.add(ctx, 0, batchOf(10, 20)); err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancelShort()
	if err := in.add(short, 0, batchOf(1, 21)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a third batch was taken: error %v", err)
	}
	added := make(chan error, 1)
	go func() { added <- in.add(ctx, 0, batchOf(1, 21)) }()
	proxy.Restore()
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	st := s.store()
	if w, err := st.watermark(s.ctx, 0); err != nil || w.seq != 21 {
		t.Errorf("the watermark is %d, error %v, want 21", w.seq, err)
	}
	if n := s.count("SELECT count() FROM events_1 FINAL"); n != 21 {
		t.Errorf("%d rows, want 21", n)
	}
}
