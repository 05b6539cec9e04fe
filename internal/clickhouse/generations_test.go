package clickhouse_test

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// A process that starts where the generations were forgotten takes the newest
// tables for the current ones, and none that were dropped.
func TestGenerationsForgotten(t *testing.T) {
	for name, c := range map[string]struct {
		statements []string
		want       uint32
	}{
		"emptied":                      {[]string{"TRUNCATE TABLE generations"}, 2},
		"dropped":                      {[]string{"DROP TABLE generations SYNC"}, 2},
		"and the newest events too":    {[]string{"TRUNCATE TABLE generations", "DROP TABLE events_2 SYNC"}, 3},
		"and all but their migrations": {[]string{"DROP TABLE generations SYNC", "DROP TABLE events_2 SYNC", "DROP TABLE watermarks_2 SYNC"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := embeddedtest.ClickHouse(t)
			db, conn := open(t, dsn), clickhousetest.Connect(t, dsn)
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			g, err := db.NextGeneration(t.Context())
			if err == nil {
				err = db.MakeCurrent(t.Context(), g)
			}
			for _, statement := range c.statements {
				err = errors.Join(err, conn.Exec(t.Context(), statement))
			}
			other := open(t, dsn)
			if err = errors.Join(err, other.Migrate(t.Context())); err != nil {
				t.Fatal(err)
			}
			if now, err := other.Current(t.Context()); err != nil || now.Generation != c.want {
				t.Errorf("the current tables are %+v, error %v, want generation %d", now, err, c.want)
			}
		})
	}
}
