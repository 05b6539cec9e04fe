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
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// errMoved ends a session: its tables are no longer the current ones, or
// were dropped.
var errMoved = errors.New("the tables are not the current ones any more")

// lookEvery is how often a session checks that its tables are still the
// current ones. Each batch checks it, too.
const lookEvery = 3 * time.Second

// commitEvery is how often a partition's progress is committed to the group.
const commitEvery = 5 * time.Second

// A row waits for its batch, so a fetch may wait too: a fetch for each message
// would cost more than the row. It waits half a batch's age for fetchBytes.
const (
	fetchBytes   = 256 << 10
	minFetchWait = 10 * time.Millisecond
)

// session is the time a projector spends on one generation of the tables.
type session struct {
	p     *Projector
	kafka *eventlog.Client
	log   epoch.Log
	db    *clickhouse.DB

	guard    *guard.Guard
	tables   clickhouse.Tables
	inserter *inserter
	first    map[int]int64 // where partitions begin that lost their older events
}

// run prepares the tables and follows the log until ctx ends or the tables
// have moved.
func (s *session) run(ctx context.Context) error {
	if err := s.db.Migrate(ctx); err != nil {
		return err
	}
	if err := s.db.Retry(ctx, "compare the log with ClickHouse", s.checkEpoch); err != nil {
		return err
	}
	err := s.db.Retry(ctx, "find the current tables in ClickHouse", func(ctx context.Context) (err error) {
		s.tables, err = s.db.Current(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.inserter = newInserter(s.p, &store{db: s.db, tables: s.tables, epoch: s.log.Epoch, tracer: s.p.tracer})
	s.p.cfg.Logger.Info("projector ready", "epoch", s.log.Epoch, "generation", s.tables.Generation, "servers", s.db.Addresses())
	now := time.Now()
	s.p.progress.inserter.Store(s.inserter)
	s.p.progress.since.Store(&now)
	defer s.p.progress.since.Store(nil)
	return s.follow(ctx)
}

// follow runs the group and the inserter; when one of them fails, both end. The
// inserter outlives the group, to write what it has left.
func (s *session) follow(ctx context.Context) error {
	own, err := roles.UserData(roles.Projector, roles.Process())
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	inserting, stop := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return s.inserter.run(inserting) })
	g.Go(func() error { return s.lookAfterTables(ctx) })
	g.Go(func() error { return s.guard.Watch(ctx) })
	g.Go(func() error {
		s.p.capacity.Watch(ctx, s.db, s.p.cfg.Logger)
		return nil
	})
	g.Go(func() error {
		defer stop()
		return s.kafka.RunGroup(ctx, eventlog.GroupConfig{
			Group: s.p.cfg.Group, Topics: []string{schema.TopicEvents}, UserData: own,
			Joined: s.p.progress.member.Set,
		}, s.handle)
	})
	return g.Wait()
}

// lookAfterTables is errMoved when the tables are not the current ones any
// more, or were dropped, although nothing is written.
func (s *session) lookAfterTables(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, lookEvery)
		err := s.inserter.store.checkCurrent(asking)
		cancel()
		if errors.Is(err, errMoved) {
			return errMoved
		}
	}
}

// handle follows one partition for as long as it is assigned to us.
func (s *session) handle(ctx context.Context, a eventlog.Assignment) error {
	at := &s.p.progress
	at.assigned.Add(1)
	defer at.assigned.Add(-1)
	var from watermark
	err := s.db.Retry(ctx, "read a watermark in ClickHouse", func(ctx context.Context) (err error) {
		from, err = s.inserter.store.watermark(ctx, a.Partition)
		return err
	})
	if err == nil && from.format > schema.NewestFormat {
		err = &schema.NewerError{What: "format", Number: from.format}
	}
	if err != nil {
		return err
	}
	err = s.serve(ctx, a, from)
	var cut *epoch.Cut
	if !errors.As(err, &cut) || ctx.Err() != nil {
		return err
	}
	s.p.cfg.Logger.Error("a partition is not projected any more, the others are", "partition", a.Partition, "error", err)
	at.lost.Add(1)
	defer at.lost.Add(-1)
	<-ctx.Done()
	return nil
}

// serve projects a partition from a watermark on.
func (s *session) serve(ctx context.Context, a eventlog.Assignment, from watermark) error {
	at := &s.p.progress
	at.serving.Add(1)
	at.served.Store(true)
	defer at.serving.Add(-1)
	s.inserter.follow(a.Partition, from.seq)
	defer s.inserter.abandon(a.Partition)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.read(ctx, a.Partition, from) })
	g.Go(func() error { s.commit(ctx, a, from.seq); return nil })
	return g.Wait()
}

// read feeds the inserter with a partition's rows, from the watermark on.
func (s *session) read(ctx context.Context, partition int, from watermark) error {
	start := max(s.first[partition], from.seq+1-s.log.Window)
	if err := s.checkEnd(ctx, partition, from); err != nil {
		return err
	}
	taken := epoch.Tail{Partition: partition, Offset: from.seq, Digest: from.digest}
	reader := s.kafka.NewReader(eventlog.ReaderConfig{
		Own:   true,
		Topic: schema.TopicEvents, Partition: partition, Offset: start,
		MinBytes: fetchBytes, MaxWait: max(s.p.cfg.BatchAge/2, minFetchWait),
		OnReconnect: func(ctx context.Context) error {
			if err := s.log.Check(ctx, s.kafka); err != nil {
				return err
			}
			return taken.Check(ctx, s.kafka)
		},
	})
	defer reader.Close()
	f := newRowBuilder(s.log, partition, from)
	for {
		batch, err := reader.Next(ctx)
		var cut *eventlog.OffsetError
		var corrupt *eventlog.CorruptError
		switch {
		case errors.As(err, &cut):
			return epoch.Unreadable(cut)
		case errors.Is(err, eventlog.ErrLogReplaced):
			return epoch.Replaced(err)
		case errors.As(err, &corrupt):
			if corrupt.NextOffset > from.seq+1 {
				s.skipped(ctx, partition, corrupt.Offset, int(corrupt.NextOffset-corrupt.Offset), corrupt.Err)
			}
			f.skip(corrupt.NextOffset - 1)
		case err != nil:
			return err
		}
		for i := range batch.Records {
			if err := s.apply(ctx, f, &batch.Records[i]); err != nil {
				return err
			}
		}
		f.skip(batch.NextOffset - 1)
		taken.MoveTo(batch)
		if err == nil {
			s.inserter.reach(partition, batch.End)
		}
		if made, ok := f.drain(); ok {
			if err := s.inserter.add(ctx, partition, made); err != nil {
				return err
			}
		}
	}
}

// apply folds a record, whose span ends when its row is written.
func (s *session) apply(ctx context.Context, f *rowBuilder, rec *eventlog.Record) error {
	if rec.Offset <= f.from.seq {
		return f.apply(rec)
	}
	work := s.p.events.Process(f.partition, rec)
	err := f.apply(rec)
	switch {
	case err != nil:
		work.End(err)
	case work.Sampled():
		f.out.spans = append(f.out.spans, work.Span)
	}
	if errors.Is(err, schema.ErrCorrupt) {
		s.skipped(work.In(ctx), f.partition, rec.Offset, 1, err)
		return nil
	}
	return err
}

// checkEnd refuses a log that ends below what was projected of it.
func (s *session) checkEnd(ctx context.Context, partition int, from watermark) error {
	_, end, err := s.kafka.Offsets(ctx, schema.TopicEvents, partition)
	if err != nil {
		return err
	}
	if end <= from.seq {
		return epoch.Lost(partition, from.seq, end)
	}
	return nil
}

// skipped counts and logs records that are not events.
func (s *session) skipped(ctx context.Context, partition int, offset int64, records int, err error) {
	s.p.corrupt.Add(int64(records))
	s.p.metrics.corrupt.Add(records, schema.TopicEvents)
	s.p.cfg.Logger.ErrorContext(ctx, "corrupt records are skipped",
		"topic", schema.TopicEvents, "partition", partition, "offset", offset, "records", records, "error", err)
}

// commit commits to the group, now and then, how far the partition is in ClickHouse.
func (s *session) commit(ctx context.Context, a eventlog.Assignment, done int64) {
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for more := true; more; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			more = false
		}
		seq := s.inserter.written(a.Partition)
		if seq <= done {
			continue
		}
		if err := a.Commit(context.WithoutCancel(ctx), seq+1); err != nil {
			s.p.cfg.Logger.Debug("cannot commit the group's offset", "partition", a.Partition, "error", err)
			continue
		}
		done = seq
	}
}

// checkEpoch registers the epoch in an empty database, and refuses a log that
// ClickHouse contradicts.
func (s *session) checkEpoch(ctx context.Context) error {
	s.guard = &guard.Guard{Kafka: s.kafka, DB: s.db, Log: s.log, Logger: s.p.cfg.Logger}
	known, err := s.db.NewestEpoch(ctx)
	if err != nil {
		return err
	}
	if known == nil {
		return s.db.AddEpoch(ctx, clickhouse.Epoch{Name: s.log.Epoch, TopicID: fmt.Sprintf("%x", s.log.TopicID), Partitions: s.log.Partitions})
	}
	err = s.guard.Compare(ctx)
	var refused *epoch.Refused
	if errors.As(err, &refused) {
		return permanent(err)
	}
	return err
}
