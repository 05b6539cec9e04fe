package params

import (
	"encoding/json"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// toChange are the params that all changes of a message have.
type toChange struct {
	common
	Seq   int64  `json:"seq"`
	Epoch string `json:"epoch"`
}

// target reads the params of a change, of which given are a part.
func (r *reader) target(params any, given *toChange) *rpc.Error {
	if bad := r.named(params, &given.common); bad != nil {
		return bad
	}
	if bad := CheckSeq(given.Seq); bad != nil {
		return bad
	}
	r.act.Target, r.act.Epoch = given.Seq, given.Epoch
	return checkID(given.ID)
}

// changes makes the act of a change of a message.
func (r *reader) changes(change *schema.Change) *rpc.Error {
	change.Channel, change.Target = r.act.Channel, r.act.Target
	change.Session, change.User, change.Trace = r.by.Session, r.by.User, r.by.Trace
	if r.by.Key != "" {
		change.Origin, change.Key = schema.Origin_ORIGIN_BACKEND, r.by.Key
	}
	r.act.Event = &schema.Event{Kind: &schema.Event_Change{Change: change}}
	return nil
}

func (r *reader) edit() *rpc.Error {
	var p struct {
		toChange
		Body string          `json:"body"`
		Type *string         `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if bad := r.target(&p, &p.toChange); bad != nil {
		return bad
	}
	if bad := checkType(p.Type); bad != nil {
		return bad
	}
	if bad := CheckBody(p.Body, r.limits); bad != nil {
		return bad
	}
	if bad := CheckData(p.Data, r.limits.Data); bad != nil {
		return bad
	}
	edit := &schema.Edit{Body: p.Body, Type: p.Type, Data: p.Data}
	if IsNull(p.Data) {
		edit.Data = []byte{}
	}
	return r.changes(&schema.Change{Act: &schema.Change_Edit{Edit: edit}})
}

func (r *reader) delete() *rpc.Error {
	var p struct {
		toChange
		Reason string `json:"reason"`
	}
	if bad := r.target(&p, &p.toChange); bad != nil {
		return bad
	}
	if bad := CheckReason(p.Reason); bad != nil {
		return bad
	}
	return r.changes(&schema.Change{Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: p.Reason}}})
}

func (r *reader) react() *rpc.Error {
	var p struct {
		toChange
		Name   string `json:"name"`
		Remove bool   `json:"remove"`
	}
	if bad := r.target(&p, &p.toChange); bad != nil {
		return bad
	}
	if bad := CheckReaction("name", p.Name); bad != nil {
		return bad
	}
	return r.changes(&schema.Change{Act: &schema.Change_React{React: &schema.React{Name: p.Name, Remove: p.Remove}}})
}

func (r *reader) pin() *rpc.Error {
	var p struct {
		toChange
		Remove bool `json:"remove"`
	}
	if bad := r.target(&p, &p.toChange); bad != nil {
		return bad
	}
	pin := &schema.Pin{Channel: p.Channel, By: r.by.author(), Target: p.Seq, Remove: p.Remove}
	r.act.Event = &schema.Event{Kind: &schema.Event_Pin{Pin: pin}}
	return nil
}
