package clickhousetest

import (
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Connect returns connections of a test's own to the database that dsn names,
// which must exist. They end with the test.
func Connect(tb testing.TB, dsn string) driver.Conn {
	tb.Helper()
	opts, err := driver.ParseDSN(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := driver.Open(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn
}
