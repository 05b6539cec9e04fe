// Package ws carries messages over WebSockets (RFC 6455), and over TCP where
// clients have no WebSockets: bytes, queues, writes, bounds and liveness. It knows
// nothing of chat.
//
// A [Server] accepts connections, and makes a [Conn] of each. What all connections
// share are [Flushers], which write, a [Parking] of those from which nothing comes, a
// [Budget] of what waits to be sent, and what was asked is counted. Read conn.go first.
package ws
