// Package embedded starts the servers that Parley needs on a machine that has
// none: a broker that serves the Kafka protocol, in this process, and the
// ClickHouse engine, in a child process. Both keep their data in a folder and
// survive a kill -9 of this process; the child does not outlive it.
//
// The package knows nothing of chat: what it starts is reached by address, as
// servers elsewhere would be.
package embedded
