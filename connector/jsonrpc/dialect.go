// Package jsonrpc carries sessions whose clients speak JSON-RPC 2.0 over
// WebSockets: docs/protocol.md, and the types of schema/rpc.
package jsonrpc

import (
	"slices"

	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

// Dialect writes pushes as notifications, each a text frame. It is a
// room.Dialect.
type Dialect struct{}

// AppendChat appends the push of a message.
func (Dialect) AppendChat(b []byte, _ *rpc.Message, json []byte, prev int64) []byte {
	const around = 82 // the message, at most, with the frame's header
	b = slices.Grow(b, len(json)+around)
	return ws.AppendText(b, func(b []byte) []byte { return rpc.AppendChatPush(b, json, prev) })
}

// AppendPush appends any other push.
func (Dialect) AppendPush(b []byte, method string, params any) []byte {
	return ws.AppendText(b, func(b []byte) []byte { return rpc.AppendPush(b, method, params) })
}
