package room

import (
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// NewTarget is a message as it was read, with what its changes have made of it; nil: it
// is as it was sent.
func NewTarget(m *rpc.Message, s *changes.State) Target {
	t := Target{Exists: true, Author: m.User, To: m.To, Time: m.Time}
	t.of(s)
	return t
}

// Takes refuses a change of the message where it is not there for a user; nil: it is.
func (t *Target) Takes(e *schema.Event, user string) *rpc.Error {
	seen := t.To == "" || user == t.Author || user == t.To
	if !t.Exists || t.Deleted || !seen || e.GetPin() != nil && t.To != "" {
		return rpc.Gone()
	}
	return nil
}

// TooMany refuses a change that is one too many of the message. One that takes back a
// reaction counts as well where memory knows of no such reaction: it may be on its way.
func (t *Target) TooMany(c *schema.Change, user string, l *rpc.Limits) *rpc.Error {
	if c.GetEdit() != nil && t.Edits >= l.Edits {
		return rpc.Full("the message has as many edits as it takes", l.Edits)
	}
	react := c.GetReact()
	if react == nil {
		return nil
	}
	seq, there := t.Reaction(user, react.Name)
	switch {
	case there:
		return nil
	case !react.Remove && !t.HasName(react.Name) && t.Names >= l.Names:
		return rpc.Full("the message has as many names of reactions as it takes", l.Names)
	case seq == 0 && t.Pairs >= l.Pairs:
		return rpc.Full("the message has as many reactions as it takes", l.Pairs)
	}
	return nil
}
