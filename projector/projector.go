// Package projector writes the log's joins, chats, leaves and downs to
// ClickHouse as rows, and, after them, a watermark for each partition: up to
// which offset everything is there. Any number of projectors share the
// partitions of parley.events by a consumer group.
//
//	a loop per partition: read → decode → judge → row ─┐
//	                                                   ├─▶ one inserter: rows, then watermarks
//	a loop per partition: …                          ──┘
//
// A projector resumes after the watermark in ClickHouse, and reads one window
// before it for the rule of void events. Rows may be written again, after a
// crash or by a projector that wakes up late: they are the same rows, and the
// tables and their readers drop repeats. The offsets committed to the group are
// for tools that show the lag, nothing else.
package projector

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/capacity"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

// DefaultGroup is the consumer group of projectors.
const DefaultGroup = roles.ProjectorGroup

// Config is what a projector needs. The zero value of a field with a default
// means the default.
type Config struct {
	roles.Base
	ClickHouse string // DSN
	Group      string // default DefaultGroup

	// A batch is written when it holds that many rows or bytes, which it exceeds
	// by one fetch at most, or when its first row is that old; with few rows it
	// may get twice as old. While it is being written the next one fills up; when
	// that is full, reading waits. Default 100,000 rows, 32 MiB, 500 ms.
	BatchRows, BatchBytes int
	BatchAge              time.Duration
}

// Stats counts what a projector did since it was made.
type Stats struct {
	Rows    int64 // written, repeats included
	Corrupt int64 // records skipped
}

// Projector keeps ClickHouse up to date with the log. Its methods may be
// called concurrently; Run once.
type Projector struct {
	cfg      Config
	tracer   *tracing.Tracer
	events   *tracing.Topic
	progress progress
	metrics  *metrics
	capacity capacity.ClickHouse
	rows     atomic.Int64
	corrupt  atomic.Int64
}

// New checks cfg. It does no I/O.
func New(cfg Config) (*Projector, error) {
	cfg.SetDefaults(roles.Projector)
	cfg.Group = cmp.Or(cfg.Group, DefaultGroup)
	cfg.BatchRows = cmp.Or(cfg.BatchRows, 100_000)
	cfg.BatchBytes = cmp.Or(cfg.BatchBytes, 32<<20)
	cfg.BatchAge = cmp.Or(cfg.BatchAge, 500*time.Millisecond)
	if _, err := clickhouse.Parse(cfg.ClickHouse); err != nil {
		return nil, err
	}
	tracer := tracing.New(cfg.Tracers, "projector")
	return &Projector{
		cfg: cfg, tracer: tracer, events: tracer.Topic(schema.TopicEvents, cfg.Group), metrics: newMetrics(cfg.Meters),
	}, nil
}

// Stats returns what was counted so far.
func (p *Projector) Stats() Stats { return Stats{Rows: p.rows.Load(), Corrupt: p.corrupt.Load()} }

// Run follows the log until ctx ends, and returns nil then. It waits for
// servers that are away. Its error is one that another try would not fix: a
// log that is not the one of the tables, an event newer than this binary, or
// refused credentials.
func (p *Projector) Run(ctx context.Context) error {
	defer p.gauges()()
	err := p.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (p *Projector) run(ctx context.Context) error {
	kafka, err := eventlog.New(p.cfg.Kafka)
	if err != nil {
		return err
	}
	defer kafka.Close()
	db, err := clickhouse.New(p.cfg.ClickHouse, clickhouse.Options{Meters: p.cfg.Meters, Logger: p.cfg.Logger})
	if err != nil {
		return err
	}
	defer db.Close()
	log, err := epoch.Open(ctx, kafka, epoch.Options{
		Partitions: p.cfg.Partitions, Replication: p.cfg.Replication, Approve: guard.MayBegin(db), Logger: p.cfg.Logger,
	})
	if err != nil {
		return err
	}
	p.progress.kafka.Store(kafka)
	if err := db.WaitReady(ctx); err != nil {
		return err
	}
	p.progress.db.Store(db)
	for {
		err := (&session{p: p, kafka: kafka, log: log, db: db}).run(ctx)
		if !errors.Is(err, errMoved) {
			return err
		}
		p.cfg.Logger.Info("other tables are current now, continuing after their watermarks")
	}
}
