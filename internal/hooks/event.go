package hooks

import (
	"encoding/json"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Event is one event as it is sent. What it does not have is left out. Times are
// milliseconds since the Unix epoch.
type Event struct {
	// Seq and N: the Nth of what the event of the log at Seq means, counted before
	// anything is filtered.
	Seq     int64  `json:"seq"`
	N       int    `json:"n"`
	Time    int64  `json:"time"`
	Kind    string `json:"kind"`
	Channel string `json:"channel"`
	// User has come or gone, has written, or is whom a sanction is about.
	User string `json:"user,omitempty"`
	// Count is how many users are in the channel after a join or a leave.
	Count *int `json:"count,omitempty"`
	// ID is what the client or the backend called its act.
	ID string `json:"id,omitempty"`
	// By acted: a user, or a key of the API.
	By     *rpc.Author `json:"by,omitempty"`
	Reason string      `json:"reason,omitempty"`

	// Of a message.
	To       string          `json:"to,omitempty"`
	Body     string          `json:"body,omitempty"`
	Type     string          `json:"type,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Info     json.RawMessage `json:"info,omitempty"`
	Reply    int64           `json:"reply,omitempty"`
	Mentions []string        `json:"mentions,omitempty"`
	Origin   string          `json:"origin,omitempty"`
	Key      string          `json:"key,omitempty"`

	// Of a change or a pin.
	Target    int64   `json:"target,omitempty"`
	Author    string  `json:"author,omitempty"`
	Moderator bool    `json:"moderator,omitempty"`
	Edit      *Edit   `json:"edit,omitempty"`
	Delete    *Delete `json:"delete,omitempty"`
	React     *React  `json:"react,omitempty"`
	Remove    bool    `json:"remove,omitempty"`

	// Of a sanction, a purge or a set.
	Action     string  `json:"action,omitempty"`
	Until      int64   `json:"until,omitempty"`
	Since      *int64  `json:"since,omitempty"`
	PurgeSince *int64  `json:"purge_since,omitempty"`
	Slow       *int64  `json:"slow,omitempty"`
	Frozen     *bool   `json:"frozen,omitempty"`
	Topic      *string `json:"topic,omitempty"`
}

// Edit is what a message says from now on; what is absent stays. Data null removes it.
type Edit struct {
	Body string          `json:"body"`
	Type *string         `json:"type,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Delete takes a message away.
type Delete struct {
	Reason string `json:"reason,omitempty"`
}

// React is a reaction, or takes it back.
type React struct {
	Name   string `json:"name"`
	Remove bool   `json:"remove,omitempty"`
}

// eventOf is what an event of the log says in itself, without who comes and goes by
// it; false where that is all there is to it. private: it is for one user.
func eventOf(e *schema.Event) (out Event, private, ok bool) {
	out.Channel = e.Channel()
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		c := k.Chat
		out.Kind, out.User, out.ID, out.To, out.Body, out.Type = kindChat, c.User, c.Id, c.To, c.Body, c.Type
		out.Data, out.Info, out.Reply, out.Mentions, out.Origin, out.Key = c.Data, c.Info, c.Reply, c.Mentions, originOf(c.Origin), c.Key
		return out, c.To != "", true
	case *schema.Event_Change:
		out.change(k.Change)
		return out, k.Change.To != "", true
	case *schema.Event_Pin:
		p := k.Pin
		out.Kind, out.ID, out.By, out.Target, out.Remove = kindPin, p.Id, authorOf(p.By), p.Target, p.Remove
	case *schema.Event_Sanction:
		s := k.Sanction
		out.Kind, out.ID, out.By, out.User, out.Action = kindSanction, s.Id, authorOf(s.By), s.User, s.Action.Name()
		out.Until, out.Reason, out.PurgeSince = s.Until, s.Reason, s.PurgeSince
	case *schema.Event_Purge:
		p := k.Purge
		out.Kind, out.ID, out.By, out.User, out.Since, out.Reason = kindPurge, p.Id, authorOf(p.By), p.User, &p.Since, p.Reason
	case *schema.Event_Set:
		s := k.Set
		out.Kind, out.ID, out.By, out.Slow, out.Frozen, out.Topic = kindSet, s.Id, authorOf(s.By), s.Slow, s.Frozen, s.Topic
		out.Data = present(s.Data)
	default:
		return out, false, false
	}
	return out, false, true
}

func (out *Event) change(c *schema.Change) {
	out.Kind, out.User, out.ID, out.Origin, out.Key = kindChange, c.User, c.Id, originOf(c.Origin), c.Key
	out.Target, out.Author, out.To, out.Moderator = c.Target, c.Author, c.To, c.Moderator
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		out.Edit = &Edit{Body: act.Edit.Body, Type: act.Edit.Type, Data: present(act.Edit.Data)}
	case *schema.Change_Delete:
		out.Delete = &Delete{act.Delete.Reason}
	case *schema.Change_React:
		out.React = &React{act.React.Name, act.React.Remove}
	}
}

// present is JSON of a field that is there: empty, it clears what was before.
func present(value []byte) json.RawMessage {
	if value != nil && len(value) == 0 {
		return json.RawMessage("null")
	}
	return value
}

func originOf(o schema.Origin) string {
	if o == schema.Origin_ORIGIN_CLIENT {
		return ""
	}
	return rpc.OriginBackend
}

func authorOf(by *schema.Author) *rpc.Author {
	return &rpc.Author{User: by.GetUser(), Key: by.GetKey()}
}
