// Package tail follows the log for people and scripts: it turns its events
// into JSON, and determines which are void.
package tail

import (
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Event is one record of parley.events. What the event does not have is left
// out.
type Event struct {
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	Time      time.Time `json:"time"`
	// Kind is one of Kinds; corrupt for a record that is not an event.
	Kind string `json:"kind"`
	// Void: a rule of the log cancels it, for example a repeated message.
	Void bool `json:"void,omitempty"`

	Channel   string `json:"channel,omitempty"`
	User      string `json:"user,omitempty"`
	Session   string `json:"session,omitempty"`
	Connector string `json:"connector,omitempty"`
	Counter   uint64 `json:"counter,omitempty"`
	ID        string `json:"id,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Trace     string `json:"trace,omitempty"`
	// Private: the message, or the one that is changed, is for one user. Who that
	// is, To, and its text are withheld unless they are asked for.
	Private bool   `json:"private,omitempty"`
	To      string `json:"to,omitempty"`
	Body    string `json:"body,omitempty"`
	// Bytes is the size of the body.
	Bytes int `json:"bytes,omitempty"`
	Act

	Epoch  string `json:"epoch,omitempty"`
	Format int32  `json:"format,omitempty"`
	Window int64  `json:"window,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Shown is how much of messages is shown.
type Shown struct {
	// Bodies of public messages, and whatever else people or programs wrote.
	Bodies bool
	// Private shows bodies and recipients of private messages.
	Private bool
}

// text reports whether to show what somebody wrote.
func (s Shown) text(private bool) bool { return !private && s.Bodies || private && s.Private }

// eventOf describes a record; e is nil when it is corrupt.
func eventOf(partition int, rec *eventlog.Record, e *schema.Event, shown Shown) Event {
	out := Event{Partition: partition, Offset: rec.Offset, Time: time.UnixMilli(e.GetTime()).UTC(), Connector: e.GetConnector(), Counter: e.GetCounter()}
	switch k := e.GetKind().(type) {
	case nil:
		out.Kind, out.Time = "corrupt", rec.Time.UTC()
	case *schema.Event_Marker:
		out.Kind, out.Epoch, out.Format, out.Window = "marker", k.Marker.Epoch, k.Marker.Format, k.Marker.Window
	case *schema.Event_Format:
		out.Kind, out.Format = "format", k.Format.Number
	case *schema.Event_Join:
		out.Kind, out.Channel, out.User, out.Session = "join", k.Join.Channel, k.Join.User, k.Join.Session
		out.Info = jsonOf(k.Join.Info, shown.Bodies)
	case *schema.Event_Chat:
		out.chat(k.Chat, shown)
	case *schema.Event_Leave:
		out.Kind, out.Channel, out.User, out.Session = "leave", k.Leave.Channel, k.Leave.User, k.Leave.Session
		out.Reason = k.Leave.Reason.Name()
	case *schema.Event_Down:
		out.Kind, out.Connector, out.Reason = "down", k.Down.Connector, k.Down.Reason.Name()
	default:
		out.act(e, shown)
	}
	return out
}

func (out *Event) chat(c *schema.Chat, shown Shown) {
	out.Kind, out.Channel, out.User, out.Session, out.ID, out.Trace = "chat", c.Channel, c.User, c.Session, c.Id, c.Trace
	out.Private, out.Bytes = c.To != "", len(c.Body)
	out.Type, out.Reply, out.Key, out.Origin = c.Type, c.Reply, c.Key, originOf(c.Origin)
	if shown.text(out.Private) {
		out.To, out.Body, out.Mentions = c.To, c.Body, c.Mentions
		out.Data, out.Info = jsonOf(c.Data, true), jsonOf(c.Info, true)
	}
}
