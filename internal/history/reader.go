package history

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Config is what a Reader needs. The zero value of a field with a default
// means the default.
type Config struct {
	// DSN of ClickHouse.
	DSN string
	// Log is not closed by the Reader.
	Log   *eventlog.Client
	Epoch epoch.Log
	// TailBytes and TailTime bound one read of the log, which all callers that
	// wait for the same partition share. Default 64 MB and 1 s.
	TailBytes int
	TailTime  time.Duration
	// TailStep is how many offsets of the log are read at first. Default 4,096.
	TailStep int64
	// QueryTime bounds one query of ClickHouse. Default 2 s.
	QueryTime time.Duration
	Meters    metric.MeterProvider // nil: nothing is measured
	Tracers   trace.TracerProvider // nil: no spans within those of the callers
	Logger    *slog.Logger
}

// Reader reads history. It is safe for concurrent use.
type Reader struct {
	cfg    Config
	tracer *tracing.Tracer
	store  *store
	tails  []*tail // by partition
	finder finder
	end    context.CancelFunc
}

// New returns a Reader. It does no I/O; its error is one of the DSN.
func New(cfg Config) (*Reader, error) {
	cfg.TailBytes = cmp.Or(cfg.TailBytes, 64<<20)
	cfg.TailTime = cmp.Or(cfg.TailTime, time.Second)
	cfg.TailStep = cmp.Or(cfg.TailStep, 4096)
	cfg.QueryTime = cmp.Or(cfg.QueryTime, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	db, err := clickhouse.New(cfg.DSN, clickhouse.Options{
		MaxConns: maxConns, DialTimeout: cfg.QueryTime, ReadTimeout: cfg.QueryTime, Meters: cfg.Meters, Logger: cfg.Logger,
	})
	if err != nil {
		cancel()
		return nil, err
	}
	r := &Reader{cfg: cfg, tracer: tracing.New(cfg.Tracers, "internal/history"), end: cancel}
	r.store = newStore(ctx, db, &cfg, r.tracer)
	events := r.tracer.Topic(schema.TopicEvents, "")
	turns := make(chan struct{}, tailsAtOnce)
	for p := range cfg.Epoch.Partitions {
		r.tails = append(r.tails, newTail(ctx, &r.cfg, p, events, turns))
	}
	return r, nil
}

// Close ends what is under way and waits for it. Reads after it fail.
func (r *Reader) Close() {
	r.end()
	for _, t := range r.tails {
		t.close()
	}
	r.finder.close()
	r.store.close()
}

// Probe asks ClickHouse for a sign of life, in the background: when history
// cannot be read that is logged before somebody misses it.
func (r *Reader) Probe() { r.store.probe() }

// Watermark is the newest W known of a partition, without I/O: everything up
// to that offset is in ClickHouse. It is -1 as long as nothing is known.
func (r *Reader) Watermark(partition int) int64 { return r.store.known(partition) }

// Read answers q. Its errors are ErrUnavailable, ErrTail, ErrEpoch, ErrClosed,
// a refusal of the log, a *schema.NewerError, or that of ctx.
func (r *Reader) Read(ctx context.Context, q Query) (Page, error) {
	ctx, span := r.tracer.History(ctx)
	page, err := r.read(ctx, q)
	if clickhouse.IsMissing(err) { // its tables were dropped since the watermark was read
		page, err = r.read(ctx, q)
	}
	span.Messages(len(page.Messages), err)
	return page, err
}

func (r *Reader) read(ctx context.Context, q Query) (Page, error) {
	if q.Epoch != "" && q.Epoch != r.cfg.Epoch.Epoch {
		return r.readOldEpoch(ctx, q)
	}
	partition := schema.PartitionOf(q.Channel, r.cfg.Epoch.Partitions)
	mark, err := r.store.watermark(ctx, partition)
	if err != nil {
		return Page{}, err
	}
	at := location{generation: mark.generation, epoch: r.cfg.Epoch.Epoch, partition: partition, end: mark.seq + 1}
	var parts []part
	for _, s := range q.spans() {
		p, err := r.readSpan(ctx, &q, s, at)
		if err != nil {
			return Page{}, err
		}
		parts = append(parts, p)
	}
	page := q.page(parts)
	if !page.More && q.Mode != After {
		page.Older, err = r.store.olderEpoch(ctx, &q, r.cfg.Epoch.Epoch, mark.generation)
	}
	return page, err
}

// readSpan reads what ClickHouse has of s, and the log above it.
func (r *Reader) readSpan(ctx context.Context, q *Query, s span, at location) (part, error) {
	low, high := s, s // below and above the end of what ClickHouse has
	low.to = min(s.to, at.end)
	high.from = max(s.from, at.end)
	var rows, logged []rpc.Message
	readRows := func(ctx context.Context) (err error) { rows, err = r.store.rows(ctx, q, low, at); return err }
	readLog := func(ctx context.Context) (err error) { logged, err = r.readLog(ctx, q, high); return err }
	err := error(nil)
	if s.newest {
		err = both(ctx, readRows, readLog)
	} else if err = readRows(ctx); err == nil && !s.full(rows) {
		err = readLog(ctx)
	}
	if err != nil {
		return part{}, err
	}
	return s.cut(s.pick(append(rows, logged...))), nil
}

// both runs two reads at once, and returns the first error.
func both(ctx context.Context, a, b func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a(ctx) })
	g.Go(func() error { return b(ctx) })
	return g.Wait()
}

// tailGrowth is how much further each step into the log reaches.
const tailGrowth = 8

// readLog reads s from the log, in growing steps from the end that is asked
// for: what is wanted is most often near it, however long the tail is.
func (r *Reader) readLog(ctx context.Context, q *Query, s span) ([]rpc.Message, error) {
	if s.from >= s.to {
		return nil, nil
	}
	tail := r.tails[schema.PartitionOf(q.Channel, r.cfg.Epoch.Partitions)]
	for reach := r.cfg.TailStep; ; reach *= tailGrowth {
		step := s
		if s.newest {
			step.from = max(s.from, s.to-reach)
		} else {
			step.to = min(s.to, s.from+reach)
		}
		messages, err := tail.read(ctx, q, step)
		if err != nil {
			return nil, err
		}
		if found := s.pick(messages); s.full(found) || step == s {
			return found, nil
		}
	}
}

// ReadLog answers q from the log alone, as if the channel began at offset
// from: for when ClickHouse is down. Its errors are those of Read except
// ErrUnavailable.
func (r *Reader) ReadLog(ctx context.Context, q Query, from int64) (Page, error) {
	ctx, span := r.tracer.History(ctx)
	page, err := r.readLogAlone(ctx, q, from)
	span.Messages(len(page.Messages), err)
	return page, err
}

func (r *Reader) readLogAlone(ctx context.Context, q Query, from int64) (Page, error) {
	if q.Epoch != "" && q.Epoch != r.cfg.Epoch.Epoch {
		return Page{}, ErrUnavailable
	}
	var parts []part
	for _, s := range q.spans() {
		s.from = max(s.from, from)
		messages, err := r.readLog(ctx, &q, s)
		if err != nil {
			return Page{}, err
		}
		parts = append(parts, s.cut(messages))
	}
	return q.page(parts), nil
}

// readOldEpoch answers q from the rows of an epoch that is over.
func (r *Reader) readOldEpoch(ctx context.Context, q Query) (Page, error) {
	mark, err := r.store.watermark(ctx, 0)
	if err != nil {
		return Page{}, err
	}
	partitions, err := r.store.partitionsOf(ctx, q.Epoch)
	if err != nil {
		return Page{}, err
	}
	q.End = maxSeq
	at := location{generation: mark.generation, epoch: q.Epoch, partition: schema.PartitionOf(q.Channel, partitions), end: maxSeq}
	var parts []part
	for _, s := range q.spans() {
		rows, err := r.store.rows(ctx, &q, s, at)
		if err != nil {
			return Page{}, err
		}
		parts = append(parts, s.cut(rows))
	}
	page := q.page(parts)
	if !page.More && q.Mode != After {
		page.Older, err = r.store.olderEpoch(ctx, &q, q.Epoch, mark.generation)
	}
	return page, err
}
