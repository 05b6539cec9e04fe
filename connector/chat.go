package connector

import (
	"bytes"
	"encoding/json"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// chatParams distinguish what is empty from what is absent: a message for nobody
// must not become one for everybody.
type chatParams struct {
	rpc.ChatParams
	To    *string `json:"to"`
	ID    *string `json:"id"`
	Type  *string `json:"type"`
	Reply *int64  `json:"reply"`
}

func (c *call) chat(r rpc.Request) *rpc.Error {
	s := c.session
	var m chatParams
	if bad := rpc.Decode(r.Params, &m); bad != nil {
		return bad
	}
	if bad := m.check(&s.inc.limits); bad != nil {
		return bad
	}
	newer := s.inc.format(m.Channel) >= 2
	if bad := m.beforeFormat2(); bad != nil && !newer {
		return bad
	}
	c.span.LinkClient(m.Traceparent)
	chat := &schema.Chat{
		Channel: m.Channel, Session: s.id, User: s.user, Body: m.Body, To: text(m.To), Trace: c.span.TraceID(),
		Type: text(m.Type), Data: m.Data, Reply: m.ChatParams.Reply, Mentions: m.Mentions,
	}
	if newer {
		chat.Info = s.infoNow()
	}
	a := &act{call: c, takes: grants.Chat, id: m.ID, retry: m.Retry, reply: chat.Reply}
	if chat.To != "" {
		a.takes = grants.Private
	}
	a.event = &schema.Event{Kind: &schema.Event_Chat{Chat: chat}}
	a.name = func(id string) { chat.Id = id }
	return a.begin(m.Channel)
}

// text is what a field says; "" where it is absent.
func text(field *string) string {
	if field == nil {
		return ""
	}
	return *field
}

// check checks m, and makes what means the same as nothing absent.
func (m *chatParams) check(limits *rpc.Limits) *rpc.Error {
	if bad := checkName("channel", m.Channel); bad != nil {
		return bad
	}
	if m.To != nil {
		if bad := checkNewName("to", *m.To); bad != nil {
			return bad
		}
	}
	if bad := checkID(m.ID); bad != nil {
		return bad
	}
	if bad := checkType(m.Type); bad != nil {
		return bad
	}
	if m.Reply != nil {
		if m.ChatParams.Reply = *m.Reply; *m.Reply < 1 || *m.Reply > maxSeq {
			return rpc.InvalidParams("reply", "must be the seq of a message of the channel")
		}
	}
	if bad := checkMentions(m.Mentions); bad != nil {
		return bad
	}
	if bad := checkBody(m.Body, limits); bad != nil {
		return bad
	}
	if bad := checkData(m.Data, limits.Data); bad != nil {
		return bad
	}
	if text(m.Type) == rpc.TypeText {
		m.Type = nil
	}
	if isNull(m.Data) {
		m.Data = nil
	}
	return nil
}

// beforeFormat2 refuses what a log of format 1 cannot hold. The params are checked.
func (m *chatParams) beforeFormat2() *rpc.Error {
	for _, of := range []struct {
		field string
		there bool
	}{{"type", m.Type != nil}, {"data", m.Data != nil}, {"reply", m.Reply != nil}, {"mentions", len(m.Mentions) > 0}} {
		if of.there {
			return notYet(of.field)
		}
	}
	return nil
}

// notYet refuses a field that came with format 2 while format 1 is in force.
func notYet(field string) *rpc.Error {
	return rpc.InvalidParams(field, "is not known to all servers yet: the log's format is 1")
}

// infoNow is what the session's token tells of its user.
func (s *session) infoNow() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// maxSeq is the highest seq that there can be, as JSON has it exactly.
const maxSeq = 1<<53 - 1

// maxDepth is how deep data may be nested.
const maxDepth = 32

func checkID(id *string) *rpc.Error {
	if id != nil && (len(*id) == 0 || len(*id) > schema.MaxID) {
		return rpc.InvalidParams("id", "must be 1 to 64 bytes")
	}
	return nil
}

func checkType(kind *string) *rpc.Error {
	if kind != nil && (len(*kind) == 0 || len(*kind) > schema.MaxType) {
		return rpc.InvalidParams("type", "must be 1 to 64 bytes")
	}
	return nil
}

func checkMentions(users []string) *rpc.Error {
	if len(users) > schema.MaxMentions {
		return rpc.InvalidParams("mentions", "must be 50 users at most")
	}
	for _, user := range users {
		if bad := checkNewName("mentions", user); bad != nil {
			return bad
		}
	}
	return nil
}

func checkBody(body string, limits *rpc.Limits) *rpc.Error {
	switch {
	case body == "":
		return rpc.InvalidParams("body", "must not be empty")
	case len(body) > limits.Body:
		return rpc.TooLarge(limits.Body)
	}
	return nil
}

// checkData checks the size of data and how deep it is nested. That it is JSON, and
// of Unicode text, was seen when the request was read.
func checkData(data json.RawMessage, most int) *rpc.Error {
	if len(data) > most {
		return rpc.TooLarge(most)
	}
	if depth(data) > maxDepth {
		return rpc.InvalidParams("data", "must not be nested more than 32 deep")
	}
	return nil
}

func isNull(data json.RawMessage) bool { return bytes.Equal(data, []byte("null")) }

// depth is how deep the arrays and objects of a JSON value are nested.
func depth(value []byte) (deepest int) {
	now, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}
