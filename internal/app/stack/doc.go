// Package stack runs all of Parley in one process: the embedded servers and
// one component of each kind, wired by their addresses as they would be on
// machines of their own.
//
//	browser ⇄ connector ⇄ broker ⇄ chatworker
//	              │          │
//	              │          └─▶ projector ─▶ ClickHouse (child process)
//	              └── history ◀──────────────────┘
//
// What is started first is stopped last: servers, then those that read the
// log, then the connector.
package stack
