package connector

import (
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// errNoMethod answers a method that is not known, or not yet.
var errNoMethod = rpc.Error{Code: rpc.CodeNoMethod, Message: "no such method"}

// edits begins an edit or a deletion of a message.
func (c *call) edits(r rpc.Request) *rpc.Error { return c.acts(r, grants.Edit) }

// reacts begins a reaction to a message.
func (c *call) reacts(r rpc.Request) *rpc.Error { return c.acts(r, grants.React) }

// moderates begins what moderators do.
func (c *call) moderates(r rpc.Request) *rpc.Error { return c.acts(r, grants.Moderate) }

// acts begins a change of a message, or what moderators do.
func (c *call) acts(r rpc.Request, takes grants.Action) *rpc.Error {
	s := c.session
	by := params.By{User: s.user, Session: s.id, Trace: c.span.TraceID()}
	if s.backend != nil {
		by.Key = s.backend.key
	}
	p, _, bad := params.Read(r.Method, r.Params, by, &s.inc.limits)
	if s.inc.format(p.Channel) < 2 {
		return &errNoMethod
	}
	if bad != nil {
		return bad
	}
	return (&act{call: c, takes: takes, Act: p}).begin()
}
