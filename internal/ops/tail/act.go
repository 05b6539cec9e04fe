package tail

import (
	"encoding/json"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Act is what came with format 2: more about a chat, and what changes messages,
// users and channels.
type Act struct {
	// Action is edit, delete or react of a change; that of a sanction otherwise.
	Action string `json:"action,omitempty"`
	// By acted: a user, or a key of the API.
	By *rpc.Author `json:"by,omitempty"`
	// Key of the API that acted as the user.
	Key    string `json:"key,omitempty"`
	Origin string `json:"origin,omitempty"`
	// Target is the message that is changed or pinned, Author whose it is, which is
	// withheld as the recipient is.
	Target    int64  `json:"target,omitempty"`
	Author    string `json:"author,omitempty"`
	Moderator bool   `json:"moderator,omitempty"`

	Type     string          `json:"type,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Info     json.RawMessage `json:"info,omitempty"`
	Reply    int64           `json:"reply,omitempty"`
	Mentions []string        `json:"mentions,omitempty"`
	// Name is that of a reaction.
	Name string `json:"name,omitempty"`
	// Removed: the reaction or the pin is taken back.
	Removed bool `json:"removed,omitempty"`

	// Until is the end of a sanction that has one.
	Until *time.Time `json:"until,omitempty"`
	// Since is from where on messages are deleted.
	Since  *int64  `json:"since,omitempty"`
	Slow   *int64  `json:"slow,omitempty"`
	Frozen *bool   `json:"frozen,omitempty"`
	Topic  *string `json:"topic,omitempty"`
}

// act describes an event of a kind that came with format 2.
func (out *Event) act(e *schema.Event, shown Shown) {
	out.Channel = e.Channel()
	switch k := e.Kind.(type) {
	case *schema.Event_Change:
		out.change(k.Change, shown)
	case *schema.Event_Pin:
		p := k.Pin
		out.Kind, out.ID, out.By, out.Target, out.Removed = "pin", p.Id, authorOf(p.By), p.Target, p.Remove
	case *schema.Event_Sanction:
		s := k.Sanction
		out.Kind, out.ID, out.By, out.User, out.Action = "sanction", s.Id, authorOf(s.By), s.User, s.Action.Name()
		out.Since, out.Reason = s.PurgeSince, textOf(s.Reason, shown.Bodies)
		if s.Until > 0 {
			out.Until = new(time.UnixMilli(s.Until).UTC())
		}
	case *schema.Event_Purge:
		p := k.Purge
		out.Kind, out.ID, out.By, out.User = "purge", p.Id, authorOf(p.By), p.User
		out.Since, out.Reason = &p.Since, textOf(p.Reason, shown.Bodies)
	case *schema.Event_Set:
		s := k.Set
		out.Kind, out.ID, out.By, out.Slow, out.Frozen = "set", s.Id, authorOf(s.By), s.Slow, s.Frozen
		if out.Data = jsonOf(s.Data, shown.Bodies); shown.Bodies {
			out.Topic = s.Topic
		}
	case *schema.Event_Watch:
		out.Kind = "watch"
	case *schema.Event_Unwatch:
		out.Kind = "unwatch"
	}
}

func (out *Event) change(c *schema.Change, shown Shown) {
	out.Kind, out.User, out.Session, out.ID, out.Trace = "change", c.User, c.Session, c.Id, c.Trace
	out.Private, out.Target, out.Moderator, out.Key, out.Origin = c.To != "", c.Target, c.Moderator, c.Key, originOf(c.Origin)
	text := shown.text(out.Private)
	if !out.Private || text {
		out.Author, out.To = c.Author, c.To
	}
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		out.Action, out.Type, out.Bytes = "edit", act.Edit.GetType(), len(act.Edit.Body)
		out.Body, out.Data = textOf(act.Edit.Body, text), jsonOf(act.Edit.Data, text)
	case *schema.Change_Delete:
		out.Action, out.Reason = "delete", textOf(act.Delete.Reason, text)
	case *schema.Change_React:
		out.Action, out.Name, out.Removed = "react", textOf(act.React.Name, text), act.React.Remove
	}
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

// textOf is what somebody wrote, if it is to be shown.
func textOf(text string, shown bool) string {
	if !shown {
		return ""
	}
	return text
}

// jsonOf is textOf for JSON, which DecodeEvent has made sure it is.
func jsonOf(value []byte, shown bool) json.RawMessage {
	if !shown || len(value) == 0 {
		return nil
	}
	return value
}
