package projector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// rebuildPoll is how often a rebuild compares the watermarks.
const rebuildPoll = 250 * time.Millisecond

// RebuildProgress is how far a rebuild is, in offsets of all partitions.
// The total grows while chat continues.
type RebuildProgress struct {
	Generation uint32 // that is built
	Done, Of   int64
}

// Rebuild replays the log into the tables of the next generation, beside
// whatever projectors do, and makes them the current ones when every partition
// has come to where it is in the old ones. Projectors and readers follow by
// themselves. It returns the new generation; the old tables stay.
//
// Rows that the log cannot give are carried over from the old tables: those of
// earlier epochs and, where a partition lost its older events, those of these.
// When a rebuild is interrupted, the next one continues where it stopped. progress
// may be nil; it is called a few times a second and must not block.
func Rebuild(ctx context.Context, cfg Config, progress func(RebuildProgress)) (uint32, error) {
	cfg.Tracers = nil // the messages' traces were exported when they were new
	p, err := New(cfg)
	if err != nil {
		return 0, err
	}
	if progress == nil {
		progress = func(RebuildProgress) {}
	}
	kafka, err := eventlog.New(cfg.Kafka)
	if err != nil {
		return 0, err
	}
	defer kafka.Close()
	db, err := clickhouse.Open(ctx, cfg.ClickHouse, clickhouse.Options{Logger: p.cfg.Logger})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	log, err := epoch.Inspect(ctx, kafka)
	if err != nil {
		return 0, err
	}
	r := &rebuild{session: session{p: p, kafka: kafka, log: log, db: db, first: map[int]int64{}}, progress: progress}
	return r.run(ctx)
}

// rebuild is a session on tables that are not the current ones yet.
type rebuild struct {
	session
	progress func(RebuildProgress)
	old      *store
	fresh    *store
}

func (r *rebuild) run(ctx context.Context) (uint32, error) {
	if err := r.prepare(ctx); err != nil {
		return 0, err
	}
	if err := r.carryEpochs(ctx); err != nil {
		return 0, err
	}
	from, err := r.starts(ctx)
	if err != nil {
		return 0, err
	}
	return r.tables.Generation, r.replay(ctx, from)
}

// prepare creates what is missing of the new tables.
func (r *rebuild) prepare(ctx context.Context) error {
	if err := r.db.Migrate(ctx); err != nil {
		return err
	}
	if err := r.db.Retry(ctx, "check the epoch in ClickHouse", r.checkEpoch); err != nil {
		return err
	}
	return r.db.Retry(ctx, "create the new tables in ClickHouse", func(ctx context.Context) error {
		current, err := r.db.Current(ctx)
		if err != nil {
			return err
		}
		next, err := r.db.NextGeneration(ctx)
		if err != nil {
			return err
		}
		r.tables = clickhouse.Tables{Generation: next}
		r.old = &store{db: r.db, tables: current, epoch: r.log.Epoch}
		r.fresh = &store{db: r.db, tables: r.tables, epoch: r.log.Epoch, building: true}
		return nil
	})
}

// starts returns where the replay of each partition begins, and carries over what
// the log does not hold.
func (r *rebuild) starts(ctx context.Context) ([]watermark, error) {
	from := make([]watermark, r.log.Partitions)
	for p := range from {
		first, _, err := r.kafka.Offsets(ctx, schema.TopicEvents, p)
		if err != nil {
			return nil, err
		}
		err = r.db.Retry(ctx, "prepare the new tables in ClickHouse", func(ctx context.Context) (err error) {
			if from[p], err = r.fresh.watermark(ctx, p); err == nil && first > 0 {
				r.first[p] = first
				from[p], err = r.carryBeginning(ctx, p, first, from[p])
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return from, nil
}

// errCaughtUp ends a replay.
var errCaughtUp = errors.New("the new tables have everything that the old ones have")

// replay projects into the new tables until they have caught up and are made
// the current ones.
func (r *rebuild) replay(ctx context.Context, from []watermark) error {
	r.inserter = newInserter(r.p, r.fresh)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.inserter.run(ctx) })
	for p := range from {
		g.Go(func() error { return r.read(ctx, p, from[p]) })
	}
	g.Go(func() error { return r.watch(ctx) })
	if err := g.Wait(); !errors.Is(err, errCaughtUp) {
		return err
	}
	return nil
}

// watch compares the watermarks until the new ones have reached the old ones,
// and swaps. Its error is errCaughtUp then.
func (r *rebuild) watch(ctx context.Context) error {
	tick := time.NewTicker(rebuildPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var caughtUp bool
		err := r.db.Retry(ctx, "compare the watermarks in ClickHouse", func(ctx context.Context) (err error) {
			if caughtUp, err = r.caughtUp(ctx); err == nil && caughtUp {
				err = r.db.MakeCurrent(ctx, r.tables.Generation)
			}
			return err
		})
		if err != nil {
			return err
		}
		if caughtUp {
			return errCaughtUp
		}
	}
}

// caughtUp reports whether every partition has come to where it is in the old
// tables, or, where these know nothing of it, to the end of the log.
func (r *rebuild) caughtUp(ctx context.Context) (bool, error) {
	old, err := r.db.WatermarksOf(ctx, r.old.tables.Generation, r.log.Epoch)
	var fresh map[int]int64
	if err == nil {
		fresh, err = r.db.WatermarksOf(ctx, r.tables.Generation, r.log.Epoch)
	}
	if clickhouse.IsMissing(err) {
		return false, permanent(errors.New("the tables were dropped meanwhile: start the rebuild again"))
	}
	if err != nil {
		return false, err
	}
	at, caughtUp := RebuildProgress{Generation: r.tables.Generation}, true
	for p := range r.log.Partitions {
		want, known := old[p]
		if !known {
			_, end, err := r.kafka.Offsets(ctx, schema.TopicEvents, p)
			if err != nil {
				return false, fmt.Errorf("find the end of the log: %w", err)
			}
			want = end - 1
		}
		have, begun := fresh[p]
		if !begun {
			have = -1
		}
		at.Of += want + 1
		at.Done += min(have, want) + 1
		caughtUp = caughtUp && have >= want
	}
	r.progress(at)
	return caughtUp, nil
}
