// Package sql holds the ClickHouse tables as ordered migrations: what history
// is made of. It does no I/O; internal/clickhouse applies it.
//
// The history proper, events, changes and watermarks, is stored in a generation of
// tables that are never renamed: events_1, changes_1, watermarks_1, and so on, and
// the view messages_1. A rebuild fills the next generation beside the one in use and
// then makes it the current one.
// What is not rebuilt, epochs and the number of the current generation, is stored
// in tables of its own.
//
// Tables that are there get what is new by ALTER, from the first projector of a new
// version: columns and kinds are added, and none is taken away or gets a narrower
// type. So projectors of the version before go on writing their columns meanwhile. What
// they cannot write, events of a format that they do not know, they stop at; so
// nothing is missing in what was added, and no rebuild is needed.
//
// Each migration is one statement, a template that renders for a single server
// or for a cluster, and harmless when it is applied again.
package sql
