// Package ws carries text messages over WebSockets (RFC 6455): bytes, queues,
// writes, bounds and liveness. It knows nothing of chat.
//
// A [Listener] accepts connections, an [Upgrader] makes a [Conn] of one. What
// all connections share are [Flushers], which write, a [Budget] of what waits to
// be sent, and what was asked is counted. Read conn.go first.
package ws
