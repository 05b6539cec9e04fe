// Package chat serves clients of chatofpomelo, the chat that pomelo came with, as
// they are: they enter a room, talk in it, and hear who comes and goes. A room is
// a channel. What clients of pomelo's wire cannot say in these terms they ask in
// Parley's own, as routes that begin with parley.
//
// Read conn.go first (what requests become), then dialect.go (what clients are
// told).
package chat
