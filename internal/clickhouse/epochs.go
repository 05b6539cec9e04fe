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

// NewestEpoch is the epoch that was added last; nil when there is none yet.
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

// AddEpoch makes e the newest epoch.
func (db *DB) AddEpoch(ctx context.Context, e Epoch) error {
	return db.Exec(ctx, `INSERT INTO `+db.Table(tables.Epochs)+` SELECT ?, ?, toInt32(?), now64(3, 'UTC')`, e.Name, e.TopicID, e.Partitions)
}
