package verify

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// store reads one generation of the tables, for one epoch.
type store struct {
	db         *clickhouse.DB
	generation uint32
	epoch      string
}

func (s *store) events() string { return s.db.Table(sql.Events(s.generation)) }

func (s *store) changes() string { return s.db.Table(sql.Changes(s.generation)) }

func (s *store) watermarks() string { return s.db.Table(sql.Watermarks(s.generation)) }

// watermark is up to where a partition is in ClickHouse.
type watermark struct {
	seq    int64 // -1: nothing is
	digest uint64
	format int32
}

func (s *store) watermark(ctx context.Context, partition int) (watermark, error) {
	w := watermark{seq: -1}
	err := s.db.QueryRow(ctx, `SELECT seq, digest, format FROM `+s.watermarks()+
		` WHERE epoch = ? AND partition = ? ORDER BY seq DESC LIMIT 1`, s.epoch, partition).Scan(&w.seq, &w.digest, &w.format)
	if errors.Is(err, stdsql.ErrNoRows) {
		return w, nil
	}
	if err != nil {
		return w, fmt.Errorf("read the watermark in ClickHouse: %w", err)
	}
	if w.format > schema.NewestFormat {
		return w, &schema.NewerError{What: "format", Number: w.format}
	}
	return w, nil
}

// newestRow is the highest seq that has a row; -1 when none has.
func (s *store) newestRow(ctx context.Context, partition int) (int64, error) {
	var seq int64
	err := s.db.QueryRow(ctx, `SELECT if(count() = 0, -1, max(seq)) FROM (
			SELECT seq FROM `+s.events()+` WHERE epoch = ? AND partition = ? UNION ALL SELECT seq FROM `+s.changes()+` WHERE epoch = ? AND partition = ?
		)`, s.epoch, partition, s.epoch, partition).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("read the newest row in ClickHouse: %w", err)
	}
	return seq, nil
}

// foreign describes rows that belong to no known epoch or partition.
func (s *store) foreign(ctx context.Context, partitions int) ([]string, error) {
	var found []string
	for _, table := range []string{s.events(), s.changes(), s.watermarks()} {
		rows, err := s.db.Query(ctx, `SELECT toString(epoch), count() FROM `+table+
			` WHERE epoch NOT IN (SELECT epoch FROM `+s.db.Table(sql.Epochs)+`) GROUP BY 1 ORDER BY 1`)
		if err != nil {
			return nil, fmt.Errorf("look for rows of unknown epochs: %w", err)
		}
		for rows.Next() {
			var name string
			var n uint64
			if err := rows.Scan(&name, &n); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			found = append(found, fmt.Sprintf("%s holds %d rows of epoch %s, which is not among the known ones", table, n, name))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("look for rows of unknown epochs: %w", err)
		}
	}
	var n uint64
	err := s.db.QueryRow(ctx, `SELECT count() FROM `+s.events()+` WHERE epoch = ? AND (partition < 0 OR partition >= ?)`, s.epoch, partitions).Scan(&n)
	if err != nil {
		return nil, fmt.Errorf("look for rows of unknown partitions: %w", err)
	}
	if n > 0 {
		found = append(found, fmt.Sprintf("%s holds %d rows of partitions that the log does not have", s.events(), n))
	}
	return found, nil
}

// chains reads the public messages of a partition up to seq, as a reader of
// history does.
func (s *store) chains(ctx context.Context, partition int, seq int64) (chains, error) {
	rows, err := s.db.Query(ctx, `SELECT channel, seq FROM `+s.events()+
		` WHERE epoch = ? AND partition = ? AND kind = 'chat' AND void = 0 AND "to" = '' AND seq <= ? ORDER BY channel, seq`,
		s.epoch, partition, seq)
	if err != nil {
		return nil, fmt.Errorf("read the messages in ClickHouse: %w", err)
	}
	defer rows.Close()
	found := chains{}
	for rows.Next() {
		var channel string
		var seq int64
		if err := rows.Scan(&channel, &seq); err != nil {
			return nil, fmt.Errorf("read the messages in ClickHouse: %w", err)
		}
		if c := found[channel]; c == nil || c.last != seq {
			found.link(channel, seq)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the messages in ClickHouse: %w", err)
	}
	return found, nil
}

// chunk is how many offsets one query asks for: the server sorts its rows in
// memory.
const chunk = 1 << 16

// partitionRows are the rows of a partition up to a seq, by chunks. It is a
// rowSource; close it.
type partitionRows struct {
	ctx       context.Context
	s         *store
	partition int
	from, to  int64 // what is still to be asked for
	open      driver.Rows
}

func (s *store) rows(ctx context.Context, partition int, to int64) *partitionRows {
	return &partitionRows{ctx: ctx, s: s, partition: partition, from: math.MinInt64, to: to}
}

func (p *partitionRows) next() (row, bool, error) {
	for {
		if p.open == nil {
			if p.from > p.to {
				return row{}, false, nil
			}
			if err := p.ask(); err != nil {
				return row{}, false, fmt.Errorf("read the rows in ClickHouse: %w", err)
			}
		}
		if p.open.Next() {
			var r row
			err := p.open.Scan(append([]any{&r.channel, &r.seq, &r.kind, &r.user, &r.to, &r.id, &r.body, &r.session, &r.connector,
				&r.time, &r.reason, &r.void, &r.trace, &r.version}, r.more.fields()...)...)
			return r, err == nil, err
		}
		if err := p.close(); err != nil {
			return row{}, false, fmt.Errorf("read the rows in ClickHouse: %w", err)
		}
	}
}

// ask opens the next chunk; the first one has whatever lies below 0, too.
func (p *partitionRows) ask() error {
	last := min(max(p.from, 0)+chunk-1, p.to)
	rows, err := p.s.db.Query(p.ctx, `SELECT channel, seq, toString(kind), user, "to", id, body, session, connector,
		toUnixTimestamp64Milli(time), toString(reason), void, trace, version`+moreColumns+` FROM `+p.s.events()+
		` WHERE epoch = ? AND partition = ? AND seq >= ? AND seq <= ? ORDER BY seq, version DESC, channel`,
		p.s.epoch, p.partition, p.from, last)
	if err != nil {
		return err
	}
	p.open, p.from = rows, last+1
	return nil
}

func (p *partitionRows) close() error {
	if p.open == nil {
		return nil
	}
	err := errors.Join(p.open.Err(), p.open.Close())
	p.open = nil
	return err
}
