// Package sql holds the ClickHouse tables as ordered migrations: what history
// is made of. It does no I/O; internal/clickhouse applies it.
//
// The history proper, events and watermarks, is stored in a generation of tables
// that are never renamed: events_1, watermarks_1, and so on. A rebuild fills
// the next generation beside the one in use and then makes it the current one.
// What is not rebuilt, epochs and the number of the current generation, is stored
// in tables of its own.
//
// Each migration is one statement, a template that renders for a single server
// or for a cluster, and harmless when it is applied again.
package sql
