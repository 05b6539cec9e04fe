// Package clickhouse connects to a ClickHouse server or cluster by its native
// protocol and keeps Parley's tables there. The tables are described in
// schema/sql.
package clickhouse
