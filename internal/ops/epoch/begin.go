// Package epoch begins a new epoch of the log: the way out when the log is no
// longer the one that everything else was derived from. It deletes what was
// derived (the workers' state, the pushes, the leases) and records the new
// epoch in ClickHouse, so that older messages stay readable there.
package epoch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/schema"
)

// Options of a new epoch.
type Options struct {
	// Recreate deletes the log even where it could become the new epoch as it
	// is.
	Recreate bool
	// Partitions and Replication of a log that is created; 0 means those of
	// the one before.
	Partitions, Replication int
}

// Plan is what a new epoch will do.
type Plan struct {
	// Old is the epoch that is in use as far as anyone remembers; "" when
	// nobody does.
	Old string
	// Keep: the topic of the events holds the log of an epoch that ClickHouse
	// does not know, and becomes the new epoch as it is. Otherwise it is
	// deleted and recreated.
	Keep bool
	// Found is the epoch of the topic of the events; "" when it has none.
	Found string
	// Done: a new epoch has already begun, and nothing was published in it
	// since. There is nothing to do.
	Done bool
	// Why the log is kept, or cannot be.
	Why string
	// Lost is how many offsets of the log that will be deleted are not in
	// ClickHouse.
	Lost int64
	// Partitions and Replication the log will have.
	Partitions, Replication int
}

// MakePlan finds out what a new epoch means here. It writes nothing.
func MakePlan(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, o Options) (Plan, error) {
	p := Plan{Partitions: o.Partitions, Replication: o.Replication}
	if err := p.remember(ctx, kafka, db); err != nil {
		return p, err
	}
	info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		p.Why = "it is gone"
		return p, nil
	}
	if err != nil {
		return p, err
	}
	log, err := epoch.Inspect(ctx, kafka)
	var refused *epoch.Refused
	if err != nil && !errors.As(err, &refused) {
		return p, err
	}
	p.Found = log.Epoch
	if err := p.decide(ctx, kafka, db, info, refused, o); err != nil {
		return p, err
	}
	if p.Keep {
		p.Partitions = info.Partitions
	} else if o.Partitions == 0 {
		p.Partitions = info.Partitions
	}
	if o.Replication == 0 {
		p.Replication = info.Replicas
	}
	return p, nil
}

// remember finds the epoch that was in use, and with how many partitions.
func (p *Plan) remember(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB) error {
	newest, err := db.NewestEpoch(ctx)
	if err != nil && !clickhouse.IsMissing(err) {
		return fmt.Errorf("read the epochs in ClickHouse: %w", err)
	}
	known, err := epoch.Remembered(ctx, kafka)
	switch {
	case err != nil:
		return err
	case newest != nil:
		p.Old = newest.Name
		p.partitions(newest.Partitions)
	case known != nil:
		p.Old = known.Epoch
		p.partitions(int(known.Partitions))
	}
	return nil
}

func (p *Plan) partitions(n int) {
	if p.Partitions == 0 {
		p.Partitions = n
	}
}

// decide decides whether the existing log becomes the new epoch.
func (p *Plan) decide(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, info eventlog.TopicInfo, refused *epoch.Refused, o Options) error {
	used, err := db.HasEpoch(ctx, p.Found)
	if err != nil && !clickhouse.IsMissing(err) {
		return fmt.Errorf("read the epochs in ClickHouse: %w", err)
	}
	switch {
	case refused != nil:
		p.Why = refused.Error()
	case o.Recreate:
		p.Why = "it was asked for"
	case o.Partitions != 0 && o.Partitions != info.Partitions:
		p.Why = fmt.Sprintf("it has %d partitions and %d were asked for", info.Partitions, o.Partitions)
	case used:
		if p.Done, err = justBegun(ctx, kafka, db, p.Found, info); p.Done || err != nil {
			return err
		}
		p.Why = fmt.Sprintf("ClickHouse has history of its epoch %s, in which a position must keep its meaning", p.Found)
	default:
		begun, err := begunLate(ctx, kafka, info.Partitions)
		if err != nil {
			return err
		}
		if p.Keep = !begun; begun {
			p.Why = "its older events were deleted"
		} else {
			p.Why = "no history of its epoch was written yet"
		}
	}
	if p.Keep {
		return nil
	}
	return p.countLost(ctx, kafka, db, info.Partitions)
}

// justBegun reports whether the log is of the epoch that is recorded as the
// newest, and neither it nor ClickHouse holds an event of it.
func justBegun(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, found string, info eventlog.TopicInfo) (bool, error) {
	newest, err := db.NewestEpoch(ctx)
	if err != nil || newest == nil || newest.Name != found || newest.TopicID != fmt.Sprintf("%x", info.ID) {
		return false, err
	}
	if known, err := epoch.Remembered(ctx, kafka); err != nil || known.GetEpoch() != found {
		return false, err
	}
	marks, err := db.Watermarks(ctx, found)
	if err != nil && !clickhouse.IsMissing(err) {
		return false, fmt.Errorf("read the watermarks in ClickHouse: %w", err)
	}
	for p := range info.Partitions {
		if first, end, err := kafka.Offsets(ctx, schema.TopicEvents, p); err != nil || first > 0 || end > 1 || marks[p] > 1 { // the first offset is the marker's
			return false, err
		}
	}
	return true, nil
}

// begunLate reports whether a partition no longer holds its beginning.
func begunLate(ctx context.Context, kafka *eventlog.Client, partitions int) (bool, error) {
	for p := range partitions {
		if first, _, err := kafka.Offsets(ctx, schema.TopicEvents, p); err != nil || first > 0 {
			return first > 0, err
		}
	}
	return false, nil
}

// countLost counts what the log holds above the watermarks.
func (p *Plan) countLost(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, partitions int) error {
	marks, err := db.Watermarks(ctx, cmp.Or(p.Found, p.Old))
	if err != nil && !clickhouse.IsMissing(err) {
		return fmt.Errorf("read the watermarks in ClickHouse: %w", err)
	}
	for n := range partitions {
		first, end, err := kafka.Offsets(ctx, schema.TopicEvents, n)
		if err != nil {
			return err
		}
		below := max(first, 1) // the marker is not an event
		if seq, ok := marks[n]; ok {
			below = max(below, seq+1)
		}
		p.Lost += max(0, end-below)
	}
	return nil
}

// Begin carries out a plan and returns the log of the new epoch. When it is
// interrupted, a new MakePlan and Begin continue where it stopped. Roles must not run.
func Begin(ctx context.Context, kafka *eventlog.Client, db *clickhouse.DB, p Plan) (epoch.Log, error) {
	if err := db.Migrate(ctx); err != nil {
		return epoch.Log{}, err
	}
	// What remembers the old epoch goes last, so that a role that is started
	// in between refuses the log.
	topics := []string{schema.TopicSignals, schema.TopicSignalPush, schema.TopicState, schema.TopicPush}
	if !p.Keep {
		topics = append(topics, schema.TopicEvents)
	}
	// Hooks go on in the new epoch, and so does their topic where it fits.
	if hooks, err := kafka.DescribeTopic(ctx, schema.TopicHooks); err == nil && len(hooks.Partitions) != p.Partitions {
		topics = append(topics, schema.TopicHooks)
	}
	for _, name := range append(topics, schema.TopicControl) {
		if err := admin.DeleteTopic(ctx, kafka, name); err != nil {
			return epoch.Log{}, err
		}
	}
	log, err := epoch.Open(ctx, kafka, epoch.Options{Partitions: p.Partitions, Replication: p.Replication})
	if err != nil {
		return log, fmt.Errorf("open the new log: %w", err)
	}
	if p.Keep {
		if err := format.Recall(ctx, kafka, log); err != nil {
			return log, err
		}
	}
	err = db.AddEpoch(ctx, clickhouse.Epoch{Name: log.Epoch, TopicID: fmt.Sprintf("%x", log.TopicID), Partitions: log.Partitions})
	if err != nil {
		return log, fmt.Errorf("record epoch %s in ClickHouse (run the command again to fix this): %w", log.Epoch, err)
	}
	return log, nil
}
