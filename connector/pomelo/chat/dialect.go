package chat

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/schema/rpc"
)

// everybody is the target of a message to all.
const everybody = "*"

// Dialect is how members of one kind are sent what happens in a room: a
// room.Dialect.
type Dialect struct {
	framing pomelo.Framing
	routes  *Routes
	own     bool // in Parley's own terms
}

// AppendChat appends the push of a message.
func (d Dialect) AppendChat(b []byte, m *rpc.Message, json []byte, prev int64) []byte {
	if d.own {
		return d.framing.AppendPush(b, ownRoutes+rpc.PushChat, func(b []byte) []byte {
			return rpc.AppendChatParams(b, json, prev)
		})
	}
	const around = 128 // the texts, at most
	b = slices.Grow(b, len(d.routes.OnChat)+len(m.Body)+len(m.User)+len(m.To)+around)
	return d.framing.AppendPush(b, d.routes.OnChat, func(b []byte) []byte { return appendChat(b, m, false) })
}

// AppendPush appends any other push; nothing where the client has no word for it.
func (d Dialect) AppendPush(b []byte, method string, params any) []byte {
	route, write := d.push(method, params)
	if route == "" {
		return b
	}
	return d.framing.AppendPush(b, route, write)
}

// push is a push as this client gets it; route "": it does not.
func (d Dialect) push(method string, params any) (route string, write func([]byte) []byte) {
	if d.own {
		return ownRoutes + method, func(b []byte) []byte { return rpc.AppendJSON(b, params) }
	}
	switch p := params.(type) {
	case rpc.JoinedPush:
		return d.routes.OnAdd, func(b []byte) []byte { return appendPresence(b, d.routes.OnAdd, p.User, "") }
	case rpc.LeftPush:
		return d.routes.OnLeave, func(b []byte) []byte { return appendPresence(b, d.routes.OnLeave, p.User, p.Reason) }
	}
	return "", nil
}

// appendChat appends the body of onChat. past: it comes from history.
func appendChat(b []byte, m *rpc.Message, past bool) []byte {
	target := m.To
	if target == "" {
		target = everybody
	}
	b = appendString(append(b, `{"msg":`...), m.Body)
	b = appendString(append(b, `,"from":`...), m.User)
	b = appendString(append(b, `,"target":`...), target)
	b = strconv.AppendInt(append(b, `,"seq":`...), m.Seq, 10)
	b = strconv.AppendInt(append(b, `,"time":`...), m.Time, 10)
	if past {
		b = append(b, `,"history":true`...)
	}
	return append(b, '}')
}

// appendPresence appends the body of onAdd or onLeave; reason "": none.
func appendPresence(b []byte, route, user, reason string) []byte {
	b = appendString(append(b, `{"route":`...), route)
	b = appendString(append(b, `,"user":`...), user)
	if reason != "" {
		b = appendString(append(b, `,"reason":`...), reason)
	}
	return append(b, '}')
}

// appendString appends a string, which is UTF-8, as JSON.
func appendString(b []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return rpc.AppendJSON(b, s) // which takes U+FFFD for what is not UTF-8
	}
	return quoted
}
