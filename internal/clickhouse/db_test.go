package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/sql"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func open(t *testing.T, dsn string) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func count(t *testing.T, db driver.Conn, query string) uint64 {
	t.Helper()
	var n uint64
	if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const tablesOf = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('epochs', 'generations', 'events_1', 'watermarks_1')"

func TestMissingDatabaseIsCreated(t *testing.T) {
	dsn := embeddedtest.ClickHouse(t)
	if err := clickhousetest.Connect(t, dsn).Exec(t.Context(), "DROP DATABASE "+dsn[strings.LastIndexByte(dsn, '/')+1:]); err != nil {
		t.Fatal(err)
	}
	db := open(t, dsn)
	if n := count(t, db, "SELECT count() FROM system.databases WHERE name = '"+db.Database()+"'"); n != 0 {
		t.Error("it was created for somebody who only reads")
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, clickhousetest.Connect(t, dsn), tablesOf); n != 4 {
		t.Errorf("%d tables, want 4", n)
	}
}

// Any number of processes may prepare the tables at once, and again, and after
// some of them were dropped.
func TestMigrate(t *testing.T) {
	dsn := embeddedtest.ClickHouse(t)
	db, conn := open(t, dsn), clickhousetest.Connect(t, dsn)
	migrate := func() {
		t.Helper()
		var wg sync.WaitGroup
		for range 4 {
			one := open(t, dsn)
			wg.Go(func() {
				if err := one.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := count(t, conn, tablesOf); n != 4 {
			t.Errorf("%d tables, want 4", n)
		}
	}
	migrate()
	before, err := db.Current(t.Context())
	if err != nil || before.Generation != 1 || before.ID == "" {
		t.Fatalf("the current tables are %+v, error %v", before, err)
	}
	migrate()
	if now, err := db.Current(t.Context()); err != nil || now != before {
		t.Errorf("the current tables are %+v, error %v, and were %+v", now, err, before)
	}
	for _, table := range []string{"watermarks_1", "epochs", "generations", "migrations"} {
		if err := conn.Exec(t.Context(), "DROP TABLE "+table+" SYNC"); err != nil {
			t.Fatal(err)
		}
		migrate()
	}
	if now, err := db.Current(t.Context()); err != nil || now.Generation != 1 || now.ID == before.ID {
		t.Errorf("the current tables are %+v, error %v, and were %+v", now, err, before)
	}
}

// Processes that prepare the tables at once are not in each other's way: nobody
// meets an error that another try has to fix.
func TestMigrateMeetsNoTrouble(t *testing.T) {
	for range 8 {
		dsn := embeddedtest.ClickHouse(t)
		var said strings.Builder
		var all sync.WaitGroup
		logger := slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
		for range 2 {
			db, err := clickhouse.New(dsn, clickhouse.Options{Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				defer db.Close()
				if err := db.Migrate(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if said.Len() > 0 {
			t.Fatal(said.String())
		}
	}
}

// Events that were dropped are never created again under their name: whoever
// wrote or read a moment ago meets a missing table.
func TestUsedGenerationIsNeverCreatedAgain(t *testing.T) {
	for name, drops := range map[string][]string{
		"both tables":            {"events_1", "watermarks_1"},
		"the events":             {"events_1"},
		"all that is left of it": {"events_1", "watermarks_1", "migrations_1"},
		"every table":            {"events_1", "watermarks_1", "migrations_1", "migrations", "generations", "epochs"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := embeddedtest.ClickHouse(t)
			db, conn := open(t, dsn), clickhousetest.Connect(t, dsn)
			for used := uint32(1); used < 3; used++ {
				if err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				if now, err := db.Current(t.Context()); err != nil || now.Generation != used || now.ID == "" {
					t.Fatalf("the current tables are %+v, error %v, want generation %d", now, err, used)
				}
				for _, table := range drops {
					table = strings.Replace(table, "_1", fmt.Sprint("_", used), 1)
					if err := conn.Exec(t.Context(), "DROP TABLE "+table+" SYNC"); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, conn, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('events_1', 'events_2')"); n != 0 {
				t.Errorf("%d tables of events that were dropped are there again", n)
			}
			if _, err := db.Watermarks(t.Context(), "e"); err != nil {
				t.Error(err)
			}
		})
	}
}

// The same is true of a generation that never became the current one, which an
// interrupted rebuild leaves behind.
func TestUsedGenerationOfARebuild(t *testing.T) {
	dsn := embeddedtest.ClickHouse(t)
	db, conn := open(t, dsn), clickhousetest.Connect(t, dsn)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := func(want uint32) {
		t.Helper()
		if g, err := db.NextGeneration(t.Context()); g != want || err != nil {
			t.Errorf("the next generation is %d, error %v, want %d", g, err, want)
		}
	}
	next(2)
	next(2)
	for _, table := range []string{"events_2", "watermarks_2"} {
		if err := conn.Exec(t.Context(), "DROP TABLE "+table+" SYNC"); err != nil {
			t.Fatal(err)
		}
	}
	next(3)
}

// The server's own parser takes the statements for a cluster, as there is none
// here to run them on.
func TestClusterStatementsParse(t *testing.T) {
	db := open(t, embeddedtest.ClickHouse(t))
	layout := sql.Layout{Database: "chat", Cluster: "main"}
	base, err := layout.Base()
	if err != nil {
		t.Fatal(err)
	}
	generation, err := layout.Generation(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(base, generation...) {
		if err := db.Exec(t.Context(), "EXPLAIN AST\n"+m.Statement); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
	if err := db.Exec(t.Context(), "EXPLAIN AST CREATE TABLE x ON CLUSTER"); err == nil {
		t.Error("the parser takes anything")
	}
}

func TestEpochs(t *testing.T) {
	db := open(t, embeddedtest.ClickHouse(t))
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, err := db.NewestEpoch(t.Context()); e != nil || err != nil {
		t.Errorf("in the beginning: %+v, error %v", e, err)
	}
	for _, e := range []clickhouse.Epoch{{Name: "b", TopicID: "01", Partitions: 3}, {Name: "a", TopicID: "02", Partitions: 5}} {
		if err := db.AddEpoch(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if newest, err := db.NewestEpoch(t.Context()); err != nil || newest == nil || *newest != e {
			t.Errorf("the newest is %+v, error %v, want %+v", newest, err, e)
		}
		time.Sleep(2 * time.Millisecond) // the order is that of the server's clock
	}
}

func TestWrongPassword(t *testing.T) {
	dsn := strings.Replace(embeddedtest.ClickHouse(t), "://", "://nobody:secret@", 1)
	_, err := clickhouse.Open(t.Context(), dsn, clickhouse.Options{})
	if err == nil || !strings.Contains(err.Error(), `refuses user "nobody" with this password`) || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// A server that is down is waited for, and that is logged once.
func TestOpenWaits(t *testing.T) {
	proxy := clickhousetest.NewProxy(t, embeddedtest.ClickHouse(t))
	proxy.Cut()
	said := &lines{first: make(chan struct{})}
	opened := make(chan error, 1)
	go func() {
		db, err := clickhouse.Open(t.Context(), proxy.DSN, clickhouse.Options{Logger: slog.New(slog.NewTextHandler(said, nil))})
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	<-said.first
	proxy.Restore()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want one at its beginning and one at its end:\n%s", n, said)
	}
}

// lines collects what is logged.
type lines struct {
	mu    sync.Mutex
	all   strings.Builder
	first chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all.Len() == 0 {
		close(l.first)
	}
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// What is wrong with a DSN is reported at once, in words.
func TestWrongDSNIsCalledThat(t *testing.T) {
	secure := httptest.NewTLSServer(nil)
	defer secure.Close()
	plain := embeddedtest.ClickHouse(t)
	for dsn, says := range map[string]string{
		"clickhouse://" + secure.Listener.Addr().String() + "/default": "it speaks TLS at this address",
		plain + "?secure=true":      "it does not speak TLS at this address",
		plain + "_new?cluster=none": `it knows no cluster "none"`,
	} {
		db, err := clickhouse.New(dsn, clickhouse.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ctx, cancel := context.WithTimeout(t.Context(), await.Limit)
		defer cancel()
		if err := db.Migrate(ctx); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", dsn, err, says)
		}
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	proxy := clickhousetest.NewProxy(t, embeddedtest.ClickHouse(t))
	proxy.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := clickhouse.Open(ctx, proxy.DSN, clickhouse.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestRetry(t *testing.T) {
	db := open(t, embeddedtest.ClickHouse(t))
	tries := 0
	err := db.Retry(t.Context(), "try", func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%d tries, error %v", tries, err)
	}
	never := errors.New("never")
	err = db.Retry(t.Context(), "try", func(context.Context) error { return backoff.Permanent(never) })
	if !errors.Is(err, never) {
		t.Errorf("error %v, want the permanent one", err)
	}
	missing := db.Exec(t.Context(), "SELECT * FROM nowhere")
	if !clickhouse.IsMissing(missing) || !clickhouse.IsException(missing) || clickhouse.IsMissing(never) {
		t.Errorf("a missing table is not seen as one: %v", missing)
	}
}

// The newest epoch is the one that was added last, whatever the clocks say.
func TestNewestEpochIsTheLastAdded(t *testing.T) {
	dsn := embeddedtest.ClickHouse(t)
	db := open(t, dsn)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	add := func(name string) {
		t.Helper()
		if err := db.AddEpoch(t.Context(), clickhouse.Epoch{Name: name, Partitions: 3}); err != nil {
			t.Fatal(err)
		}
		if newest, err := db.NewestEpoch(t.Context()); err != nil || newest == nil || newest.Name != name {
			t.Errorf("the newest epoch is %+v, error %v, want %s", newest, err, name)
		}
	}
	add("z")
	if err := db.Exec(t.Context(), "INSERT INTO "+db.Table(sql.Epochs)+" SELECT 'y', '', 3, now64(3, 'UTC') + toIntervalHour(1)"); err != nil {
		t.Fatal(err)
	}
	add("x")
	add("a")
}
