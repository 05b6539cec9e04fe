package clickhouse

import (
	"context"
	stdsql "database/sql"
	"fmt"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"

	"github.com/parley-chat/parley/schema/sql"
)

// Migrate creates what is missing of the database and its tables, and brings them to the version
// of this binary. Any number of processes may do so at once: every step is
// harmless when it is repeated. It waits for the server while that can help,
// until ctx ends.
func (db *DB) Migrate(ctx context.Context) error {
	return db.Retry(ctx, "prepare the tables in ClickHouse", db.migrate)
}

func (db *DB) migrate(ctx context.Context) error {
	if err := db.ask(ctx); err != nil {
		return err
	}
	if err := db.create(ctx); err != nil {
		return err
	}
	base, err := db.layout().Base()
	if err != nil {
		return err
	}
	if err := db.apply(ctx, "migrations", base, sql.Epochs, sql.Generations); err != nil {
		return err
	}
	g, err := db.Generation(ctx)
	if err != nil {
		return err
	}
	if g == 0 {
		g = sql.FirstGeneration
		if err := db.MakeCurrent(ctx, g); err != nil {
			return err
		}
	}
	return db.CreateGeneration(ctx, g)
}

// CreateGeneration creates what is missing of the tables of generation g. When
// its events are gone its watermarks go too, as they spoke of those.
func (db *DB) CreateGeneration(ctx context.Context, g uint32) error {
	steps, err := db.layout().Generation(g)
	if err != nil {
		return err
	}
	// In one look: others may be creating both, the events first.
	var left uint8
	if err := db.QueryRow(ctx, "SELECT countIf(name = ?) > countIf(name = ?) FROM system.tables WHERE database = ?",
		sql.Watermarks(g), sql.Events(g), db.target.Database).Scan(&left); err != nil {
		return err
	}
	if left == 1 {
		if err := db.drop(ctx, sql.Watermarks(g)); err != nil {
			return err
		}
	}
	return db.apply(ctx, versions(g), steps, sql.Events(g), sql.Watermarks(g))
}

// Generation is the current generation of the tables; 0 if there is none yet.
func (db *DB) Generation(ctx context.Context) (uint32, error) {
	var g uint32
	err := db.QueryRow(ctx, "SELECT max(generation) FROM "+db.Table(sql.Generations)).Scan(&g)
	return g, err
}

// MakeCurrent makes g the current generation, if it is higher than the one
// that is.
func (db *DB) MakeCurrent(ctx context.Context, g uint32) error {
	return db.Exec(ctx, "INSERT INTO "+db.Table(sql.Generations)+" SELECT toUInt32(?), now64(3, 'UTC')", g)
}

// apply brings tables to the newest version. Table versions remembers which
// steps were taken. When one of the tables is not there all steps are taken,
// whatever it remembers; dropping it would trip others who are at it.
func (db *DB) apply(ctx context.Context, versions string, steps []sql.Migration, tables ...string) error {
	found, err := db.hasTables(ctx, tables...)
	if err != nil {
		return err
	}
	if !found {
		for _, step := range steps {
			if err := db.Exec(ctx, step.Statement); err != nil {
				return fmt.Errorf("%s: %w", step.Name, err)
			}
		}
	}
	opts := options(db.target, Options{MaxConns: 1, DialTimeout: db.opts.DialTimeout, ReadTimeout: db.opts.ReadTimeout})
	opts.ConnOpenStrategy = driver.ConnOpenInOrder // the table of versions is on one server of a cluster
	std := driver.OpenDB(opts)
	defer std.Close()
	std.SetMaxOpenConns(2)
	provider, err := goose.NewProvider(goose.DialectClickHouse, std, nil,
		goose.WithTableName(db.Table(versions)), goose.WithGoMigrations(goMigrations(steps)...),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(db.opts.Logger))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// goMigrations wraps rendered statements, as goose knows no templates.
func goMigrations(steps []sql.Migration) []*goose.Migration {
	var all []*goose.Migration
	for _, s := range steps {
		all = append(all, goose.NewGoMigration(s.Version, &goose.GoFunc{
			RunDB: func(ctx context.Context, std *stdsql.DB) error {
				if _, err := std.ExecContext(ctx, s.Statement); err != nil {
					return fmt.Errorf("%s: %w", s.Name, err)
				}
				return nil
			},
		}, nil))
	}
	return all
}

// hasTables reports whether the database has all of the tables.
func (db *DB) hasTables(ctx context.Context, names ...string) (bool, error) {
	var n uint64
	err := db.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = ? AND has(?, name)", db.target.Database, names).Scan(&n)
	return n == uint64(len(names)), err
}

func (db *DB) drop(ctx context.Context, table string) error {
	return db.Exec(ctx, "DROP TABLE IF EXISTS "+db.Table(table)+db.layout().OnCluster()+" SYNC")
}

// Tables identifies the tables of the current generation.
type Tables struct {
	Generation uint32
	// ID changes when they were dropped and created again.
	ID string
}

// Current tells which tables are the current ones now.
func (db *DB) Current(ctx context.Context) (Tables, error) {
	var t Tables
	err := db.QueryRow(ctx, `SELECT (SELECT max(generation) FROM `+db.Table(sql.Generations)+`) AS g,
		(SELECT arrayStringConcat(arraySort(groupArray(toString(uuid)))) FROM system.tables WHERE database = ?
			AND name IN (concat('events_', toString(g)), concat('watermarks_', toString(g))))`, db.target.Database).Scan(&t.Generation, &t.ID)
	return t, err
}
