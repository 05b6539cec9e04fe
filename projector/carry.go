package projector

import (
	"context"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/schema"
	tables "github.com/parley-chat/parley/schema/sql"
)

// carryEpochs copies the rows of earlier epochs, whose logs are gone. The
// watermarks follow the rows, and show the next attempt what is done.
func (r *rebuild) carryEpochs(ctx context.Context) error {
	var earlier []string
	err := r.db.Retry(ctx, "find earlier epochs in ClickHouse", func(ctx context.Context) (err error) {
		earlier, err = r.earlierEpochs(ctx)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range earlier {
		r.p.cfg.Logger.Info("the rows of an earlier epoch are carried over: its log is gone", "epoch", name)
		err := r.db.Retry(ctx, "carry rows over in ClickHouse", func(ctx context.Context) error {
			for _, table := range []func(uint32) string{tables.Events, tables.Changes, tables.Watermarks} {
				if err := r.copyRows(ctx, table, `epoch = ?`, name); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// earlierEpochs are those with rows in the old tables that were not carried
// over yet. That the new ones have a watermark proves nothing: a rebuild of when
// the epoch was the current one may have been interrupted. A copy is known by
// its time.
func (r *rebuild) earlierEpochs(ctx context.Context) ([]string, error) {
	old, fresh := r.db.Table(tables.Watermarks(r.old.tables.Generation)), r.db.Table(tables.Watermarks(r.tables.Generation))
	rows, err := r.db.Query(ctx, `SELECT DISTINCT toString(epoch) AS name FROM `+r.db.Table(tables.Events(r.old.tables.Generation))+
		` WHERE epoch != ? AND (epoch NOT IN (SELECT epoch FROM `+old+`) OR epoch IN (
			SELECT epoch FROM `+old+` FINAL WHERE (epoch, partition, seq, time) NOT IN (SELECT epoch, partition, seq, time FROM `+fresh+`)
		)) ORDER BY name`, r.log.Epoch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found = append(found, name)
	}
	return found, rows.Err()
}

// carryBeginning copies the rows of a partition's events that the log does not
// hold, and those of the one window after them, whose verdicts depend on what is
// gone. It returns the watermark after which the partition is replayed.
func (r *rebuild) carryBeginning(ctx context.Context, partition int, first int64, done watermark) (watermark, error) {
	known, err := r.old.watermark(ctx, partition)
	if err != nil {
		return done, err
	}
	if known.seq+1 < first {
		return done, permanent(epoch.Refuse("partition %d of %s begins at offset %d, but ClickHouse holds its history up to %d only: what lies between is lost; begin a new epoch with `parley epoch new`",
			partition, schema.TopicEvents, first, known.seq))
	}
	upTo := watermark{seq: min(known.seq, first+r.log.Window-1), format: known.format}
	if upTo.seq <= done.seq {
		return done, nil
	}
	r.p.cfg.Logger.Info("the log begins later than the history: the older rows are carried over",
		"partition", partition, "log_begins_at", first, "carried_up_to", upTo.seq)
	for _, table := range []func(uint32) string{tables.Events, tables.Changes} {
		if err := r.copyRows(ctx, table, `epoch = ? AND partition = ? AND seq <= ?`, r.log.Epoch, partition, upTo.seq); err != nil {
			return done, err
		}
	}
	b := newBlock()
	b.add(int32(partition), batch{upTo: upTo})
	return upTo, r.fresh.insert(ctx, tables.Watermarks(r.tables.Generation), watermarkColumns, b.watermarks(r.log.Epoch, time.Now()))
}

// copyRows copies rows of a table from the old generation to the new one.
func (r *rebuild) copyRows(ctx context.Context, table func(uint32) string, where string, args ...any) error {
	return r.db.Exec(ctx, `INSERT INTO `+r.db.Table(table(r.tables.Generation))+
		` SELECT * FROM `+r.db.Table(table(r.old.tables.Generation))+` WHERE `+where, args...)
}
