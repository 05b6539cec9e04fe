package clickhouse_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/sql"
)

// A projector of before format 2 goes on writing while the tables get what came with
// it: what it began before, and what it begins afterwards. Rows keep what they said.
func TestTablesOfFormat1GoOn(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dsn := embeddedtest.ClickHouse(t)
	db := open(t, dsn)
	conn := clickhousetest.Connect(t, dsn)
	tablesOfBefore(ctx, t, conn, db, 2)
	write := func(seq int64) (send func()) {
		batch, err := conn.PrepareBatch(ctx, `INSERT INTO events_1 ("epoch", "partition", "channel", "seq", "kind", "user", "reason", "void", "version")`)
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			t.Helper()
			if err := batch.Append("e", int32(0), "lobby", seq, "leave", "ada", "timeout", uint8(0), int32(1)); err != nil {
				t.Fatal(err)
			}
			if err := batch.Send(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(1)()
	begun := write(2)
	if err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	begun()
	write(3)()
	if n := count(t, conn, "SELECT count() FROM events_1 WHERE reason = 'timeout' AND kind = 'leave' AND target = 0 AND isNull(topic)"); n != 3 {
		t.Errorf("%d of 3 rows are as they were written", n)
	}
	if n := count(t, conn, "SELECT count() FROM changes_1") + count(t, conn, "SELECT count() FROM messages_1"); n != 0 {
		t.Errorf("%d changes and messages of no event", n)
	}
	if g, err := db.Generation(ctx); err != nil || g != 1 {
		t.Errorf("generation %d, %v: the tables stay", g, err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// tablesOfBefore makes the tables of the first generation as a version made them that
// had so many migrations of it.
func tablesOfBefore(ctx context.Context, t *testing.T, conn driver.Conn, db *clickhouse.DB, migrations int) {
	t.Helper()
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := conn.Exec(ctx, statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	layout := sql.Layout{Database: db.Database()}
	base, err := layout.Base()
	if err != nil {
		t.Fatal(err)
	}
	generation, err := layout.Generation(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range append(base, generation[:migrations]...) {
		exec(step.Statement)
	}
	exec(`CREATE TABLE migrations_1 (version_id Int64, is_applied UInt8, date Date DEFAULT now(), tstamp DateTime DEFAULT now()) ENGINE = MergeTree ORDER BY date`)
	for version := range migrations + 1 {
		exec("INSERT INTO migrations_1 (version_id, is_applied) VALUES (?, 1)", version)
	}
	exec("INSERT INTO generations VALUES (1, now64(3))")
}
