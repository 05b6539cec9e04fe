package clickhouse

import (
	"context"
	"fmt"
)

// Disk is a disk of the server that answers, in bytes.
type Disk struct {
	Name, Path  string
	Free, Total uint64
}

// endless is a size that no disk has: object stores give such ones.
const endless = 1 << 60

// Disks are the local disks of the server that answers, those that have an end.
func (db *DB) Disks(ctx context.Context) ([]Disk, error) {
	rows, err := db.Query(ctx, "SELECT name, path, free_space, total_space FROM system.disks WHERE total_space > 0 AND total_space < ? AND type = 'Local'", uint64(endless))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse for its disks: %w", err)
	}
	defer rows.Close()
	var found []Disk
	for rows.Next() {
		var d Disk
		if err := rows.Scan(&d.Name, &d.Path, &d.Free, &d.Total); err != nil {
			return nil, fmt.Errorf("ask ClickHouse for its disks: %w", err)
		}
		found = append(found, d)
	}
	return found, rows.Err()
}
