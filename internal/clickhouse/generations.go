package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/parley-chat/parley/schema/sql"
)

var ofGeneration = regexp.MustCompile(`^(?:events|watermarks|migrations)_(\d+)$`)

// OlderGenerations are those below the current one that have tables still,
// ascending.
func (db *DB) OlderGenerations(ctx context.Context) ([]uint32, error) {
	current, err := db.Generation(ctx)
	if err != nil {
		return nil, err
	}
	all, err := db.generationsLeft(ctx)
	return slices.DeleteFunc(all, func(g uint32) bool { return g >= current }), err
}

// generationsLeft are those that have tables, ascending.
func (db *DB) generationsLeft(ctx context.Context) ([]uint32, error) {
	rows, err := db.Query(ctx, "SELECT name FROM system.tables WHERE database = ?", db.target.Database)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []uint32
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if m := ofGeneration.FindStringSubmatch(name); m != nil {
			if g, err := strconv.ParseUint(m[1], 10, 32); err == nil {
				found = append(found, uint32(g))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), rows.Err()
}

// DropGeneration drops the tables of a generation that is not the current one.
func (db *DB) DropGeneration(ctx context.Context, g uint32) error {
	current, err := db.Generation(ctx)
	if err != nil {
		return err
	}
	if g >= current {
		return fmt.Errorf("generation %d is not older than the current one, %d", g, current)
	}
	for _, table := range []string{sql.Messages(g), sql.Watermarks(g), sql.Changes(g), sql.Events(g), versions(g)} {
		if err := db.drop(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// versions is the table that remembers which migrations of a generation were
// taken.
func versions(g uint32) string { return fmt.Sprintf("migrations_%d", g) }
