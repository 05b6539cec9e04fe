// Package clickhouse connects to a ClickHouse server or cluster by its native
// protocol and keeps Parley's tables there. What the tables are is said in
// schema/sql.
package clickhouse
