package clickhouse

import (
	"context"
	"database/sql"
	"errors"

	tables "github.com/parley-chat/parley/schema/sql"
)

// Epoch is one incarnation of the log that history was written for.
type Epoch struct {
	Name       string
	TopicID    string // Kafka's id of parley.events, in hex
	Partitions int    // of parley.events
}

// NewestEpoch is the epoch that was added last; nil while there is none.
func (db *DB) NewestEpoch(ctx context.Context) (*Epoch, error) {
	var e Epoch
	var partitions int32
	err := db.QueryRow(ctx, `SELECT epoch, topic_id, partitions FROM `+db.Table(tables.Epochs)+
		` ORDER BY first_seen DESC, epoch DESC LIMIT 1`).Scan(&e.Name, &e.TopicID, &partitions)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	e.Partitions = int(partitions)
	return &e, err
}

// AddEpoch makes e the newest epoch, even if this clock is behind the one by which
// the previous epoch was added.
func (db *DB) AddEpoch(ctx context.Context, e Epoch) error {
	return db.Exec(ctx, `INSERT INTO `+db.Table(tables.Epochs)+` SELECT ?, ?, toInt32(?),
		greatest(now64(3, 'UTC'), (SELECT max(first_seen) FROM `+db.Table(tables.Epochs)+`) + toIntervalMillisecond(1))`, e.Name, e.TopicID, e.Partitions)
}

// HasEpoch reports whether history was written for an epoch of that name.
func (db *DB) HasEpoch(ctx context.Context, name string) (bool, error) {
	var n uint64
	err := db.QueryRow(ctx, `SELECT count() FROM `+db.Table(tables.Epochs)+` WHERE epoch = ?`, name).Scan(&n)
	return n > 0, err
}

// Watermarks reads the watermarks of an epoch in the current generation of the
// tables, by partition. A partition of which nothing was written has none.
func (db *DB) Watermarks(ctx context.Context, epoch string) (map[int]int64, error) {
	g, err := db.Generation(ctx)
	if err != nil {
		return nil, err
	}
	return db.WatermarksOf(ctx, g, epoch)
}

// WatermarksOf is Watermarks in a given generation.
func (db *DB) WatermarksOf(ctx context.Context, generation uint32, epoch string) (map[int]int64, error) {
	rows, err := db.Query(ctx, `SELECT partition, max(seq) FROM `+db.Table(tables.Watermarks(generation))+` WHERE epoch = ? GROUP BY partition`, epoch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	marks := map[int]int64{}
	for rows.Next() {
		var partition int32
		var seq int64
		if err := rows.Scan(&partition, &seq); err != nil {
			return nil, err
		}
		marks[int(partition)] = seq
	}
	return marks, rows.Err()
}
