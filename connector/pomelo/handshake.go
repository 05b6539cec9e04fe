package pomelo

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// Handshake is what a client says of itself before anything else.
type Handshake struct {
	// Type and Version are of the client's library, such as js-websocket and 0.0.1.
	Type, Version string
	// User is what the application has added, as JSON; nil: nothing.
	User json.RawMessage

	protos bool // the client may have old definitions of protobuf in use
}

// Codes that a handshake is answered with.
const (
	HandshakeOK      = 200
	HandshakeRefused = 500
)

// protosVersion is of the definitions, which are empty, that replace old ones.
const protosVersion = "parley"

// parseHandshake reads a handshake; false: it is to be refused.
func parseHandshake(body []byte) (h Handshake, ok bool) {
	text, ok := join(body)
	if !ok {
		return h, false
	}
	var given struct {
		Sys *struct {
			Type, Version any
			ProtoVersion  any
		}
		User json.RawMessage
	}
	if json.Unmarshal(text, &given) != nil || given.Sys == nil {
		return h, false
	}
	h.Type, _ = given.Sys.Type.(string)
	h.Version, _ = given.Sys.Version.(string)
	if h.User = given.User; bytes.Equal(h.User, []byte("null")) {
		h.User = nil
	}
	switch given.Sys.ProtoVersion {
	case nil, 0.0, "0", "", protosVersion:
	default:
		h.protos = true
	}
	return h, true
}

// appendAnswer appends the answer to a handshake with a code. user is a JSON
// object for the client's application; nil: none.
func appendAnswer(b []byte, h Handshake, code int, heartbeats time.Duration, user []byte) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(code), 10)
	if code != HandshakeOK {
		return append(b, '}')
	}
	b = strconv.AppendInt(append(b, `,"sys":{"heartbeat":`...), int64(heartbeats/time.Second), 10)
	if h.protos {
		// A client goes on using what its localStorage has unless it gets others.
		b = append(b, `,"protos":{"server":{},"client":{},"version":"`+protosVersion+`"}`...)
	}
	b = append(b, '}')
	if user != nil {
		b = append(b, `,"user":`...)
		b = escape(append(b, user...), len(b))
	}
	return append(b, '}')
}

// kicked is the body of a kick.
type kicked struct {
	Reason    string `json:"reason"`
	Reconnect bool   `json:"reconnect"` // the client may come back
	Code      int    `json:"parley"`    // of docs/protocol.md, or of WebSockets
}

func appendKick(b []byte, code int, reason string) []byte {
	return escape(rpc.AppendJSON(b, kicked{reason, returns(code), code}), len(b))
}
