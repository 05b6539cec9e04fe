package clickhouse_test

import (
	"context"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// Rows that were there before the index of words are in it once the server has made it,
// and a projector of before goes on writing meanwhile.
func TestOlderRowsGetWords(t *testing.T) {
	for before, what := range map[int]string{5: "without words", 7: "with an index of an expression"} {
		t.Run(what, func(t *testing.T) { olderRowsGetWords(t, before) })
	}
}

func olderRowsGetWords(t *testing.T, before int) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dsn := embeddedtest.ClickHouse(t)
	db := open(t, dsn)
	conn := clickhousetest.Connect(t, dsn)
	tablesOfBefore(ctx, t, conn, db, before)
	exec := func(statement string, args ...any) {
		t.Helper()
		if err := conn.Exec(ctx, statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	const write = `INSERT INTO events_1 (epoch, partition, channel, seq, kind, body) SELECT 'e', 0, 'lobby', number, 'chat', concat('word', toString(number), ' 天气') FROM numbers(?, 5000)`
	const edit = `INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, body) SELECT 'e', 0, 'lobby', number, number, 'edit', concat('word', toString(number), ' 天气') FROM numbers(?, 5000)`
	found := func(settings string) {
		t.Helper()
		for _, word := range []string{"word17", "word9999"} {
			for _, table := range []string{"events_1", "changes_1"} {
				if n := count(t, conn, `SELECT count() FROM `+table+` WHERE hasAllTokens(body, ['`+word+`', '天气'])`+settings); n != 1 {
					t.Errorf("%s is found %d times in %s", word, n, table)
				}
			}
		}
	}
	exec(write, 0)
	exec(edit, 0)
	exec(`SYSTEM STOP MERGES`)
	for range 2 {
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exec(write, 5000)
	exec(edit, 5000)
	found("") // the first without the index
	exec(`SYSTEM START MERGES`)
	const indexed = `SELECT count() FROM system.parts WHERE database = currentDatabase() AND table IN ('events_1', 'changes_1') AND active AND secondary_indices_compressed_bytes < 10000`
	for count(t, conn, indexed) > 0 {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the index is not made of the rows that there are")
		}
	}
	found(` SETTINGS force_data_skipping_indices = 'by_tokens'`)
}
