package clickhouse_test

import (
	"context"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
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
	const write = `INSERT INTO events_1 (epoch, partition, channel, seq, kind, body) SELECT 'e', 0, 'lobby', number, 'chat', concat('Word', toString(number), '今天天气') FROM numbers(?, 5000)`
	const edit = `INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, body) SELECT 'e', 0, 'lobby', number, number, 'edit', concat('Word', toString(number), '今天天气') FROM numbers(?, 5000)`
	found := func() {
		t.Helper()
		for _, word := range []string{"word17", "word9999"} {
			for _, table := range []string{"events_1", "changes_1"} {
				if n := count(t, conn, `SELECT count() FROM `+table+` WHERE hasAllTokens(body, ['`+word+`', '天气']) SETTINGS force_data_skipping_indices = 'by_tokens'`); n != 1 {
					t.Errorf("%s is found %d times in %s", word, n, table)
				}
			}
		}
	}
	if before == 7 {
		exec("ALTER TABLE events_1 ADD INDEX by_words (extractAll(lower(body), '[a-z0-9]+')) TYPE text(tokenizer = 'array')")
	}
	exec(write, 0)
	exec(edit, 0)
	for range 2 {
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	exec(write, 5000)
	exec(edit, 5000)
	await.That(t, "the indexes are made of the rows that there are", func() bool {
		return count(t, conn, `SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done`) == 0
	})
	const without = `SELECT count() FROM system.parts WHERE database = currentDatabase() AND table IN ('events_1', 'changes_1') AND active AND secondary_indices_compressed_bytes < 10000`
	if n := count(t, conn, without); n != 0 {
		t.Errorf("%d parts are without the index", n)
	}
	found()
	// Parts that are without it are searched all the same.
	exec(`ALTER TABLE events_1 CLEAR INDEX by_tokens SETTINGS mutations_sync = 2`)
	exec(`ALTER TABLE changes_1 CLEAR INDEX by_tokens SETTINGS mutations_sync = 2`)
	if n := count(t, conn, without); n == 0 {
		t.Error("all parts have the index")
	}
	found()
}
