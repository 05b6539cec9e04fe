package params

import (
	"bytes"
	"encoding/json"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Chat are the params of a message. They distinguish what is empty from what is
// absent: a message for nobody must not become one for everybody.
type Chat struct {
	rpc.ChatParams
	To    *string `json:"to"`
	ID    *string `json:"id"`
	Type  *string `json:"type"`
	Reply *int64  `json:"reply"`
}

// Check checks m, and makes what means the same as nothing absent.
func (m *Chat) Check(limits *rpc.Limits) *rpc.Error {
	if bad := CheckName("channel", m.Channel); bad != nil {
		return bad
	}
	if m.To != nil {
		if bad := CheckNewName("to", *m.To); bad != nil {
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
		if m.ChatParams.Reply = *m.Reply; *m.Reply < 1 || *m.Reply > MaxSeq {
			return rpc.InvalidParams("reply", "must be the seq of a message of the channel")
		}
	}
	if bad := checkMentions(m.Mentions); bad != nil {
		return bad
	}
	if bad := CheckBody(m.Body, limits); bad != nil {
		return bad
	}
	if bad := CheckData(m.Data, limits.Data); bad != nil {
		return bad
	}
	if Text(m.Type) == rpc.TypeText {
		m.Type = nil
	}
	if IsNull(m.Data) {
		m.Data = nil
	}
	return nil
}

// BeforeFormat2 refuses what a log of format 1 cannot hold. The params are checked.
func (m *Chat) BeforeFormat2() *rpc.Error {
	for _, of := range []struct {
		field string
		there bool
	}{{"type", m.Type != nil}, {"data", m.Data != nil}, {"reply", m.Reply != nil}, {"mentions", len(m.Mentions) > 0}} {
		if of.there {
			return NotYet(of.field)
		}
	}
	return nil
}

// NotYet refuses a field that came with format 2 while format 1 is in force.
func NotYet(field string) *rpc.Error {
	return rpc.InvalidParams(field, "is not known to all servers yet: the log's format is 1")
}

// NoReply refuses a reply to what is yet to come.
func NoReply() *rpc.Error {
	return rpc.InvalidParams("reply", "is above the channel's newest seq")
}

// Message is the message of checked params, as a user sends it: without an id.
func (m *Chat) Message(user string) *schema.Chat {
	return &schema.Chat{
		Channel: m.Channel, User: user, Body: m.Body, To: Text(m.To),
		Type: Text(m.Type), Data: m.Data, Reply: m.ChatParams.Reply, Mentions: m.Mentions,
	}
}

// Publish are the params of a message on behalf of a user.
type Publish struct {
	Chat
	User string          `json:"user"`
	Info json.RawMessage `json:"info"`
}

// Check checks what makes a message, but for where it goes.
func (p *Publish) Check(limits *rpc.Limits) *rpc.Error {
	if bad := p.Chat.Check(limits); bad != nil {
		return bad
	}
	if bad := CheckNewName("user", p.User); bad != nil {
		return bad
	}
	if IsNull(p.Info) {
		p.Info = nil
	}
	if p.Info == nil {
		return nil
	}
	var short bytes.Buffer
	if err := json.Compact(&short, p.Info); err != nil || short.Len() > maxInfo {
		return rpc.InvalidParams("info", "must be JSON of 512 bytes at most")
	}
	if depth(p.Info) > maxDepth {
		return rpc.InvalidParams("info", "must not be nested more than 32 deep")
	}
	p.Info = short.Bytes()
	return nil
}

// Message is the message of checked params in a channel, as a backend sends it under
// the name key.
func (p *Publish) Message(channel, id, key string) *schema.Chat {
	m := p.Chat.Message(p.User)
	m.Channel, m.Id, m.Info = channel, id, p.Info
	m.Origin, m.Key = schema.Origin_ORIGIN_BACKEND, key
	return m
}

// Broadcast are the params of a message for many channels.
type Broadcast struct {
	Publish
	Channels []string `json:"channels"`
}

// Check checks the params, but for what is about one channel.
func (p *Broadcast) Check(limits *rpc.Limits) *rpc.Error {
	if len(p.Channels) == 0 || len(p.Channels) > rpc.MaxBroadcast {
		return rpc.InvalidParams("channels", "must be 1 to 1000 channels")
	}
	seen := make(map[string]bool, len(p.Channels))
	for _, channel := range p.Channels {
		switch {
		case schema.CheckName(channel) != nil:
			return CheckName("channels", channel)
		case seen[channel]:
			return rpc.InvalidParams("channels", "must not name one twice")
		}
		seen[channel] = true
	}
	if p.Reply != nil {
		return rpc.InvalidParams("reply", "is a message of one channel")
	}
	p.Channel = p.Channels[0]
	return p.Publish.Check(limits)
}
