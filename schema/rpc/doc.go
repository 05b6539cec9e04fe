// Package rpc is the client protocol, version 1, as Go types: JSON-RPC 2.0 over
// a WebSocket, one message a text frame. The same protocol is described in
// asyncapi.yaml beside this file; a test compares the two.
package rpc

// Version of the protocol, given in the result of hello.
const Version = 1

// Subprotocol is selected when a client offers it; none is needed.
const Subprotocol = "parley.v1"
