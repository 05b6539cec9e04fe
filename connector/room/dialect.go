package room

import "github.com/parley-chat/parley/schema/rpc"

// Dialect is how members are sent what happens in a channel. The bytes are made
// once for all members who speak it, as they go on the wire. Values of a dialect
// are comparable, and safe for concurrent use.
type Dialect interface {
	// AppendChat appends the push of m. json is m as a JSON object; prev is the
	// seq of the channel's public message before it. m is not kept: the next
	// message takes its place.
	AppendChat(b []byte, m *rpc.Message, json []byte, prev int64) []byte
	// AppendPush appends any other push: params is the type that rpc has for it. It may
	// append nothing, for clients that have no word for a method.
	AppendPush(b []byte, method string, params any) []byte
}
