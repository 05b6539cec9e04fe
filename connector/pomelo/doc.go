// Package pomelo carries sessions whose clients speak the wire of NetEase's
// pomelo, over WebSockets or TCP: packages, the handshake, heartbeats, requests
// and pushes. What routes and bodies mean is up to others: a front for one
// application embeds a [Conn], as jsonrpc.Conn embeds a ws.Conn.
//
// Read package.go first (what is on the wire), then message.go and conn.go.
package pomelo
