package connector

import (
	"encoding/json"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// errNoMethod answers a method that is not known, or not yet.
var errNoMethod = rpc.Error{Code: rpc.CodeNoMethod, Message: "no such method"}

// toChange are the params that all changes of a message have.
type toChange struct {
	Channel string  `json:"channel"`
	Seq     int64   `json:"seq"`
	Epoch   string  `json:"epoch"`
	ID      *string `json:"id"`
	Retry   bool    `json:"retry"`
}

// read reads the params of a change, of which common are a part.
func (c *call) read(r rpc.Request, params any, common *toChange) *rpc.Error {
	bad := rpc.Decode(r.Params, params)
	if c.session.inc.format(common.Channel) < 2 {
		return &errNoMethod
	}
	if bad != nil {
		return bad
	}
	if bad := checkName("channel", common.Channel); bad != nil {
		return bad
	}
	if bad := checkSeq(common.Seq); bad != nil {
		return bad
	}
	return checkID(common.ID)
}

func checkSeq(seq int64) *rpc.Error {
	if seq < 1 || seq > maxSeq {
		return rpc.InvalidParams("seq", "must be the seq of a message")
	}
	return nil
}

// change begins a change of a message.
func (c *call) change(takes grants.Action, p *toChange, change *schema.Change) *rpc.Error {
	s := c.session
	change.Channel, change.Session, change.User, change.Target, change.Trace = p.Channel, s.id, s.user, p.Seq, c.span.TraceID()
	a := &act{call: c, takes: takes, id: p.ID, retry: p.Retry, target: p.Seq, epoch: p.Epoch}
	a.event = &schema.Event{Kind: &schema.Event_Change{Change: change}}
	a.name = func(id string) { change.Id = id }
	return a.begin(p.Channel)
}

func (c *call) edit(r rpc.Request) *rpc.Error {
	var p struct {
		toChange
		Body string          `json:"body"`
		Type *string         `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if bad := c.read(r, &p, &p.toChange); bad != nil {
		return bad
	}
	if bad := checkType(p.Type); bad != nil {
		return bad
	}
	limits := &c.session.inc.limits
	if bad := checkBody(p.Body, limits); bad != nil {
		return bad
	}
	if bad := checkData(p.Data, limits.Data); bad != nil {
		return bad
	}
	edit := &schema.Edit{Body: p.Body, Type: p.Type, Data: p.Data}
	if isNull(p.Data) {
		edit.Data = []byte{}
	}
	return c.change(grants.Edit, &p.toChange, &schema.Change{Act: &schema.Change_Edit{Edit: edit}})
}

func (c *call) delete(r rpc.Request) *rpc.Error {
	var p struct {
		toChange
		Reason string `json:"reason"`
	}
	if bad := c.read(r, &p, &p.toChange); bad != nil {
		return bad
	}
	if bad := checkReason(p.Reason); bad != nil {
		return bad
	}
	return c.change(grants.Edit, &p.toChange, &schema.Change{Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: p.Reason}}})
}

func (c *call) react(r rpc.Request) *rpc.Error {
	var p struct {
		toChange
		Name   string `json:"name"`
		Remove bool   `json:"remove"`
	}
	if bad := c.read(r, &p, &p.toChange); bad != nil {
		return bad
	}
	if bad := checkReaction("name", p.Name); bad != nil {
		return bad
	}
	return c.change(grants.React, &p.toChange, &schema.Change{Act: &schema.Change_React{React: &schema.React{Name: p.Name, Remove: p.Remove}}})
}

func (c *call) pin(r rpc.Request) *rpc.Error {
	var p struct {
		toChange
		Remove bool `json:"remove"`
	}
	if bad := c.read(r, &p, &p.toChange); bad != nil {
		return bad
	}
	pin := &schema.Pin{
		Channel: p.Channel, By: &schema.Author{By: &schema.Author_User{User: c.session.user}}, Target: p.Seq, Remove: p.Remove,
	}
	a := &act{call: c, takes: grants.Moderate, id: p.ID, retry: p.Retry, target: p.Seq, epoch: p.Epoch}
	a.event = &schema.Event{Kind: &schema.Event_Pin{Pin: pin}}
	a.name = func(id string) { pin.Id = id }
	return a.begin(p.Channel)
}
