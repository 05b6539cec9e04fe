package clickhouse

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/sql"
)

// Events and changes that are dropped right after they were seen do not come
// back: their watermarks, and whoever read these, would take them for whole.
func TestDroppedWhileTheyAreLookedAt(t *testing.T) {
	db, err := Open(t.Context(), embeddedtest.ClickHouse(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	there, used, err := db.look(t.Context(), 1)
	if err != nil || used || len(there) != 2 {
		t.Fatal(there, used, err)
	}
	for _, table := range []string{sql.Changes(1), sql.Events(1), versions(1), sql.Watermarks(1)} {
		if err := db.drop(t.Context(), table); err != nil {
			t.Fatal(err)
		}
		if _, used, err := db.look(t.Context(), 1); err != nil || !used {
			t.Errorf("%s was dropped, and the generation can be used: %v", table, err)
		}
		if err := db.build(t.Context(), 1, there...); !errors.Is(err, errUsed) {
			t.Errorf("%s was dropped: error %v, want %v", table, err, errUsed)
		}
		if found, err := db.hasTables(t.Context(), sql.Events(1), sql.Changes(1)); err != nil || found {
			t.Errorf("%s was dropped, and is there again: %v, error %v", table, found, err)
		}
	}
}
