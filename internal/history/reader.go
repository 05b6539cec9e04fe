package history

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
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
	at, err := r.locate(ctx, &q)
	if err != nil {
		return Page{}, err
	}
	generation := at.generation
	if q.Silent && at.end > 0 {
		silent, err := r.store.silent(ctx, q.Channel, at)
		if err != nil {
			return Page{}, err
		}
		if silent {
			at.generation = 0
		}
	}
	page, err := r.readAt(ctx, &q, at)
	if err == nil && !page.More && q.Mode != After {
		page.Older, err = r.store.olderEpoch(ctx, &q, r.cfg.Epoch.Epoch, generation)
	}
	return page, err
}

// locate returns where a channel's rows of this epoch are.
func (r *Reader) locate(ctx context.Context, q *Query) (location, error) {
	partition := schema.PartitionOf(q.Channel, r.cfg.Epoch.Partitions)
	mark, err := r.store.watermark(ctx, partition)
	return location{generation: mark.generation, epoch: r.cfg.Epoch.Epoch, partition: partition, end: mark.seq + 1}, err
}

// readAt answers a query of this epoch.
func (r *Reader) readAt(ctx context.Context, q *Query, at location) (Page, error) {
	x := reading{Reader: r, q: q, at: at}
	if err := x.readChanges(ctx); err != nil {
		return Page{}, err
	}
	if q.Mode == After && !q.few() {
		return x.forward(ctx)
	}
	page, err := x.pages(ctx)
	page.Asof = q.End - 1
	return page, err
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
	return r.readAt(ctx, &q, location{end: from})
}

// readOldEpoch answers q from the rows of an epoch that is over.
func (r *Reader) readOldEpoch(ctx context.Context, q Query) (Page, error) {
	at, err := r.locateOld(ctx, &q)
	if err != nil {
		return Page{}, err
	}
	q.End = maxSeq
	x := reading{Reader: r, q: &q, at: at}
	page, err := x.pages(ctx)
	if err != nil {
		return Page{}, err
	}
	if page.Asof, err = r.store.lastOf(ctx, at); err == nil && !page.More && q.Mode != After {
		page.Older, err = r.store.olderEpoch(ctx, &q, q.Epoch, at.generation)
	}
	return page, err
}

// locateOld returns where a channel's rows of an epoch that is over are.
func (r *Reader) locateOld(ctx context.Context, q *Query) (location, error) {
	mark, err := r.store.watermark(ctx, 0)
	if err != nil {
		return location{}, err
	}
	partitions, err := r.store.partitionsOf(ctx, q.Epoch)
	if err != nil {
		return location{}, err
	}
	return location{generation: mark.generation, epoch: q.Epoch, partition: schema.PartitionOf(q.Channel, partitions), end: maxSeq}, nil
}
