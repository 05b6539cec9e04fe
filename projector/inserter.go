package projector

import (
	"context"
	"sync"
	"time"
)

// lastWrite bounds the attempt to write what is left at the end.
const lastWrite = 5 * time.Second

// maxSpans bounds the spans that wait for a batch to be written. A batch with
// as many is full.
const maxSpans = 4096

// An insert costs ClickHouse about the same for one row as for hundreds. So a
// batch of few rows is given twice the time. One that is worth an insert is not,
// nor one of hardly any rows: there it would save little a second, and delay the
// searches that find them.
const (
	stretch   = 2 // times BatchAge
	hardlyAny = 16
	worthRows = 1_000
	worthSize = 512 << 10 // bytes
)

// inserter gathers the rows of all partitions into one batch and writes it;
// what comes while it writes makes the next one. It holds at most two batches:
// one being written and one that fills up.
type inserter struct {
	p     *Projector
	store *store
	wake  chan struct{} // holds one token: the filling batch was started, or is due earlier than it was

	mu      sync.Mutex // guards what follows
	filling *block
	since   time.Time       // when the filling batch got its first content
	taken   chan struct{}   // closed when the filling batch is taken
	done    map[int32]int64 // offset up to which a partition was written
	ends    map[int32]int64 // where the log of each partition that is followed ends
	oldest  map[int32]int64 // of the batch that is being written
}

func newInserter(p *Projector, s *store) *inserter {
	return &inserter{
		p: p, store: s, wake: make(chan struct{}, 1),
		filling: newBlock(), taken: make(chan struct{}), done: map[int32]int64{}, ends: map[int32]int64{},
	}
}

// add hands over a partition's next rows. While the batch is full it waits. It
// copies what it keeps.
func (in *inserter) add(ctx context.Context, partition int, b batch) error {
	for {
		in.mu.Lock()
		if !in.full() {
			break
		}
		taken := in.taken
		in.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer in.mu.Unlock()
	first := in.filling.empty()
	if first {
		in.since = time.Now()
	}
	before := in.filling.age(in.p.cfg.BatchAge)
	in.filling.add(int32(partition), b)
	if first || in.full() || in.filling.age(in.p.cfg.BatchAge) < before {
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

func (in *inserter) full() bool {
	return in.filling.bytes >= in.p.cfg.BatchBytes || len(in.filling.seq) >= in.p.cfg.BatchRows || len(in.filling.spans) >= maxSpans
}

// written is the offset up to which a partition is written; -1 if nothing is, or
// if this inserter knows nothing of it.
func (in *inserter) written(partition int) int64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	if seq, ok := in.done[int32(partition)]; ok {
		return seq
	}
	return -1
}

// run writes batches until ctx ends; then it tries once to write the rest. Its
// error is errMoved or a refusal.
func (in *inserter) run(ctx context.Context) error {
	b := newBlock()
	for in.await(ctx) == nil {
		b = in.swap(b)
		if err := in.write(ctx, b); err != nil && ctx.Err() == nil {
			return err
		} else if err != nil {
			break
		}
		b.reset()
	}
	in.finish(context.WithoutCancel(ctx), b)
	return nil
}

// await returns when the filling batch is due.
func (in *inserter) await(ctx context.Context) error {
	for {
		in.mu.Lock()
		empty, full, left := in.filling.empty(), in.full(), in.filling.age(in.p.cfg.BatchAge)-time.Since(in.since)
		in.mu.Unlock()
		if full || !empty && left <= 0 {
			return ctx.Err()
		}
		var due <-chan time.Time // never, while there is nothing
		if !empty {
			due = time.After(left)
		}
		select {
		case <-in.wake:
		case <-due:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// swap puts an empty block in place of the filling one.
func (in *inserter) swap(empty *block) *block {
	in.mu.Lock()
	defer in.mu.Unlock()
	b := in.filling
	in.filling, in.oldest = empty, b.oldest
	close(in.taken)
	in.taken = make(chan struct{})
	return b
}

// write writes a batch, for as long as it takes.
func (in *inserter) write(ctx context.Context, b *block) error {
	err := in.store.db.Retry(ctx, "write the history to ClickHouse", func(ctx context.Context) error { return in.attempt(ctx, b) })
	if err == nil {
		in.note(b)
	}
	return err
}

// attempt tries to write a batch once.
func (in *inserter) attempt(ctx context.Context, b *block) error {
	began := time.Now()
	err := in.store.write(ctx, b)
	in.p.metrics.wrote(b, time.Since(began), err)
	return err
}

// finish tries to write the batch under way and what has gathered since,
// so that the next start finds less to do. The second must not be written
// without the first: its watermark would be ahead of the rows.
func (in *inserter) finish(ctx context.Context, b *block) {
	ctx, cancel := context.WithTimeout(ctx, lastWrite)
	defer cancel()
	for _, b := range []*block{b, in.swap(newBlock())} {
		if b.empty() {
			continue
		}
		if err := in.attempt(ctx, b); err != nil {
			in.p.cfg.Logger.Info("the newest events are left for the next start", "error", err)
			return
		}
		in.note(b)
	}
}

// note remembers that a batch is written.
func (in *inserter) note(b *block) {
	for _, span := range b.spans {
		span.End(nil)
	}
	in.p.rows.Add(int64(len(b.seq)))
	in.mu.Lock()
	defer in.mu.Unlock()
	in.oldest = nil
	for partition, w := range b.marks {
		in.done[partition] = max(in.done[partition], w.seq)
	}
}
