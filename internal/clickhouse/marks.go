package clickhouse

import (
	"context"

	tables "github.com/parley-chat/parley/schema/sql"
)

// Mark is how far a partition of parley.events is in ClickHouse.
type Mark struct {
	Partition int32
	Seq       int64  // the newest offset
	Digest    uint64 // XXH64 of the value of the record there; 0: unknown
}

// Marks reads the watermarks of an epoch in the current generation of the
// tables, with what they remember of the records. A partition of which nothing
// was written has none.
func (db *DB) Marks(ctx context.Context, epoch string) ([]Mark, error) {
	g, err := db.Generation(ctx)
	if err != nil || g == 0 {
		return nil, err
	}
	rows, err := db.Query(ctx, `SELECT partition, max(seq), argMax(digest, seq) FROM `+db.Table(tables.Watermarks(g))+
		` WHERE epoch = ? GROUP BY partition ORDER BY partition`, epoch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Mark
	for rows.Next() {
		var m Mark
		if err := rows.Scan(&m.Partition, &m.Seq, &m.Digest); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}
