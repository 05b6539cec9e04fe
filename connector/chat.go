package connector

import (
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func (c *call) chat(r rpc.Request) *rpc.Error {
	s := c.session
	var m params.Chat
	if bad := rpc.Decode(r.Params, &m); bad != nil {
		return bad
	}
	if bad := m.Check(&s.inc.limits); bad != nil {
		return bad
	}
	newer := s.inc.format(m.Channel) >= 2
	if bad := m.BeforeFormat2(); bad != nil && !newer {
		return bad
	}
	c.span.LinkClient(m.Traceparent)
	chat := m.Message(s.user)
	chat.Session, chat.Trace = s.id, c.span.TraceID()
	if newer {
		chat.Info = s.infoNow()
	}
	a := &act{call: c, takes: grants.Chat, Act: params.Act{
		Channel: m.Channel, ID: m.ID, Retry: m.Retry, Reply: chat.Reply,
		Event: &schema.Event{Kind: &schema.Event_Chat{Chat: chat}},
	}}
	if chat.To != "" {
		a.takes = grants.Private
	}
	return a.begin()
}

// infoNow is what the session's token tells of its user.
func (s *session) infoNow() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}
