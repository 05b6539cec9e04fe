// Package schema is what the parts of Parley exchange: events, pushes and
// workers' state as Protocol Buffers, topics and keys, and the pure rules
// of the log that every reader must apply alike. It does no I/O.
//
// The client protocol is in schema/rpc, the ClickHouse tables are in schema/sql.
package schema

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.50.0 generate
