package clickhouse

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	current, err := db.Generation(ctx)
	if err != nil {
		return err
	}
	g := current
	if g == 0 { // of a new database, or of one whose generations were dropped
		left, err := db.generationsLeft(ctx)
		if err != nil {
			return err
		}
		g = max(db.newest.Load(), sql.FirstGeneration, slices.Max(append(left, 0)))
	}
	g, err = db.createFrom(ctx, g)
	if err != nil || g == current {
		return err
	}
	if current > 0 {
		db.opts.Logger.Warn("the tables of the history were dropped: the next generation replaces them and is filled from the log",
			"database", db.target.Database, "dropped", current, "generation", g)
	}
	return db.MakeCurrent(ctx, g)
}

// NextGeneration creates the tables of the generation after the current one,
// or finds those that were created before and never became the current ones.
func (db *DB) NextGeneration(ctx context.Context) (uint32, error) {
	current, err := db.Generation(ctx)
	if err != nil {
		return 0, err
	}
	return db.createFrom(ctx, current+1)
}

// createFrom is CreateGeneration of the lowest generation from g on that can
// be created, which it returns.
func (db *DB) createFrom(ctx context.Context, g uint32) (uint32, error) {
	for {
		err := db.CreateGeneration(ctx, g)
		if !errors.Is(err, errUsed) {
			return g, err
		}
		g++
	}
}

// errUsed refuses to create the tables of a generation that was in use.
var errUsed = errors.New("the tables of this generation were dropped")

// CreateGeneration creates the tables of generation g, or brings them to the
// version of this binary.
//
// Events and changes that were dropped are never created again under their name. Whoever
// wrote rows or read a watermark a moment ago would take the new table for the
// old one: a watermark without its rows, an empty page without an error. Under
// another number they meet a missing table instead. Watermarks alone can come
// back: the rows that they cover still exist.
func (db *DB) CreateGeneration(ctx context.Context, g uint32) error {
	there, used, err := db.look(ctx, g)
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("generation %d: %w", g, errUsed)
	}
	return db.build(ctx, g, there...)
}

// build takes the steps of generation g that were not taken yet. Tables that
// were there may have been dropped since: it does not create them.
func (db *DB) build(ctx context.Context, g uint32, there ...string) error {
	steps, err := db.layout().Generation(g)
	if err != nil {
		return err
	}
	for i := range steps {
		for _, table := range there {
			if strings.Contains(steps[i].Statement, "CREATE TABLE IF NOT EXISTS "+db.Table(table)) {
				steps[i].Statement = "SELECT 1 FROM " + db.Table(table) + " LIMIT 0"
			}
		}
	}
	err = db.apply(ctx, versions(g), steps, sql.Events(g), sql.Changes(g), sql.Watermarks(g))
	if len(there) > 0 && IsMissing(err) {
		return fmt.Errorf("generation %d: %w: %w", g, errUsed, err)
	}
	return err
}

// look returns which of the events and the changes of generation g exist, and
// whether it was in use and has lost one. Another process may be creating it: its
// events come first, then what else there is of it, and last it becomes the
// current one; so that is asked for first. Events get their target only once
// there is a table of changes.
func (db *DB) look(ctx context.Context, g uint32) (there []string, used bool, err error) {
	current, err := db.Generation(ctx)
	if err != nil {
		return nil, false, err
	}
	if current == 0 {
		current = db.newest.Load()
	}
	var others uint64
	var changed bool
	events, changes := sql.Events(g), sql.Changes(g)
	err = db.QueryRow(ctx, `SELECT groupArrayIf(name, name IN (?, ?)), countIf(name IN (?, ?)),
		(SELECT count() > 0 FROM system.columns WHERE database = ? AND table = ? AND name = 'target')
		FROM system.tables WHERE database = ?`, events, changes, sql.Watermarks(g), versions(g),
		db.target.Database, events, db.target.Database).Scan(&there, &others, &changed)
	hasEvents, hasChanges := slices.Contains(there, events), slices.Contains(there, changes)
	used = !hasEvents && (hasChanges || others > 0 || g <= current) || changed && !hasChanges
	return there, used, err
}

// Generation is the current generation of the tables; 0 if there is none yet.
func (db *DB) Generation(ctx context.Context) (uint32, error) {
	var g uint32
	err := db.QueryRow(ctx, "SELECT max(generation) FROM "+db.Table(sql.Generations)).Scan(&g)
	db.note(g)
	return g, err
}

// note remembers the highest generation that was the current one.
func (db *DB) note(g uint32) {
	for known := db.newest.Load(); g > known && !db.newest.CompareAndSwap(known, g); {
		known = db.newest.Load()
	}
}

// MakeCurrent makes g the current generation, if it is higher than the one
// that is.
func (db *DB) MakeCurrent(ctx context.Context, g uint32) error {
	return db.Exec(ctx, "INSERT INTO "+db.Table(sql.Generations)+" SELECT toUInt32(?), now64(3, 'UTC')", g)
}

// apply brings tables to the newest version. Table versions remembers which
// steps were taken. When one of the tables is missing all steps are taken,
// whatever it remembers; dropping it would disturb others that do the same.
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

// tablesID is what Tables.ID is, of names of tables in a database.
const tablesID = "SELECT arrayStringConcat(arraySort(groupArray(toString(uuid)))) FROM system.tables WHERE database = ? AND name IN "

// Still is a condition of SQL and its arguments: the tables of t's generation
// are the ones that t identifies, and no others that bear their names.
func (db *DB) Still(t Tables) (condition string, args []any) {
	g := t.Generation
	return "(" + tablesID + "(?, ?, ?)) = ?", []any{db.target.Database, sql.Events(g), sql.Changes(g), sql.Watermarks(g), t.ID}
}

// Current returns which tables are the current ones now.
func (db *DB) Current(ctx context.Context) (Tables, error) {
	var t Tables
	err := db.QueryRow(ctx, `SELECT (SELECT max(generation) FROM `+db.Table(sql.Generations)+`) AS g,
		(`+tablesID+`(concat('events_', toString(g)), concat('changes_', toString(g)), concat('watermarks_', toString(g))))`, db.target.Database).Scan(&t.Generation, &t.ID)
	db.note(t.Generation)
	return t, err
}
