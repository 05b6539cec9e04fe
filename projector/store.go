package projector

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/tracing"
	tables "github.com/parley-chat/parley/schema/sql"
)

// writeTime bounds one attempt to write a batch. What became of it is unknown
// then; writing it again is harmless.
const writeTime = 30 * time.Second

// permanent marks an error that trying again does not fix.
func permanent(err error) error { return backoff.Permanent(err) }

// store is one generation of the tables, for one epoch.
type store struct {
	db     *clickhouse.DB
	tables clickhouse.Tables
	epoch  string
	tracer *tracing.Tracer
	// building: the tables are to become the current ones, which a rebuild
	// decides.
	building bool
}

// watermark reads a partition's watermark.
func (s *store) watermark(ctx context.Context, partition int) (watermark, error) {
	w := watermark{seq: -1}
	err := s.db.QueryRow(ctx, `SELECT seq, digest, format FROM `+s.db.Table(tables.Watermarks(s.tables.Generation))+
		` WHERE epoch = ? AND partition = ? ORDER BY seq DESC LIMIT 1`, s.epoch, partition).Scan(&w.seq, &w.digest, &w.format)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return w, nil
	case clickhouse.IsMissing(err):
		return w, permanent(errMoved)
	}
	return w, err
}

// write writes a batch: its rows, and when they are acknowledged the
// watermarks. When the tables are not the current ones any more it is errMoved.
// Its span and those of the records it came from are linked.
func (s *store) write(ctx context.Context, b *block) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	span := s.tracer.Insert(s.db.Database(), tables.Events(s.tables.Generation), len(b.seq), b.spans)
	err := s.writeNow(ctx, b)
	if errors.Is(err, errMoved) {
		span.End(nil)
	} else {
		span.End(err)
	}
	return err
}

func (s *store) writeNow(ctx context.Context, b *block) error {
	if err := s.checkCurrent(ctx); err != nil {
		return err
	}
	err := s.insertRows(ctx, b)
	if err == nil {
		err = s.insertWatermarks(ctx, b)
	}
	if clickhouse.IsMissing(err) {
		return permanent(errMoved)
	}
	return err
}

func (s *store) insertRows(ctx context.Context, b *block) error {
	if len(b.seq) == 0 {
		return nil
	}
	// Of an epoch that is over, rows without a watermark are read as well: no message
	// is there without what was done to it in the same batch.
	if len(b.changed) > 0 {
		if err := s.insert(ctx, tables.Changes(s.tables.Generation), changeColumns, b.changes(s.epoch)); err != nil {
			return err
		}
	}
	names, columns := b.columns(s.epoch)
	return s.insert(ctx, tables.Events(s.tables.Generation), names, columns)
}

// insertWatermarks writes the watermarks of rows that are stored, unless the
// tables were dropped and are there again without these rows: where everything
// was dropped, a process that starts cannot know which names were in use.
// The server resolves the table to write to before it evaluates the condition.
func (s *store) insertWatermarks(ctx context.Context, b *block) error {
	marks := b.watermarks(s.epoch, time.Now())
	if s.building {
		return s.insert(ctx, tables.Watermarks(s.tables.Generation), watermarkColumns, marks)
	}
	still, args := s.db.Still(s.tables)
	return s.db.Exec(ctx, `INSERT INTO `+s.db.Table(tables.Watermarks(s.tables.Generation))+` ("`+strings.Join(watermarkColumns, `", "`)+`")
		SELECT m.1, m.2, m.3, m.4, m.5, fromUnixTimestamp64Milli(m.6, 'UTC')
		FROM (SELECT arrayJoin(arrayZip(?, ?, ?, ?, ?, ?)) AS m) WHERE `+still, append(marks, args...)...)
}

// checkCurrent is errMoved when other tables are the current ones.
func (s *store) checkCurrent(ctx context.Context) error {
	if s.building {
		return nil
	}
	now, err := s.db.Current(ctx)
	if err == nil && now != s.tables || clickhouse.IsMissing(err) {
		return permanent(errMoved)
	}
	return err
}

// insert writes whole columns, and returns when they are stored.
func (s *store) insert(ctx context.Context, table string, names []string, columns []any) error {
	batch, err := s.db.PrepareBatch(ctx, `INSERT INTO `+s.db.Table(table)+` ("`+strings.Join(names, `", "`)+`")`)
	if err != nil {
		return err
	}
	defer batch.Close()
	for i, c := range columns {
		if err := batch.Column(i).Append(c); err != nil {
			return fmt.Errorf("column %s of %s: %w", names[i], table, err)
		}
	}
	return batch.Send()
}
