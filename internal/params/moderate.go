package params

import (
	"encoding/json"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// aboutUser are those of acts that are about a user.
type aboutUser struct {
	common
	User string `json:"user"`
}

// moderation reads the params of a moderator's act, of which given are a part.
func (r *reader) moderation(params any, given *common) *rpc.Error {
	if bad := r.named(params, given); bad != nil {
		return bad
	}
	r.act.Moderates = true
	return checkID(given.ID)
}

// about reads the params of an act about a user.
func (r *reader) about(params any, given *aboutUser) *rpc.Error {
	if bad := r.moderation(params, &given.common); bad != nil {
		return bad
	}
	return CheckName("user", given.User)
}

// sanctions makes the act whose event is e, which is given what sanctions have in
// common.
func (r *reader) sanctions(user string, e *schema.Sanction) *rpc.Error {
	e.Channel, e.User, e.By = r.act.Channel, user, r.by.author()
	r.act.Event = &schema.Event{Kind: &schema.Event_Sanction{Sanction: e}}
	return nil
}

// restrict reads a mute or a ban.
func (r *reader) restrict() *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
		For    *int64 `json:"for"`
		Purge  *int64 `json:"purge"`
		Epoch  string `json:"epoch"`
	}
	if bad := r.about(&p, &p.aboutUser); bad != nil {
		return bad
	}
	if p.For != nil && (*p.For < 1 || *p.For > maxLasting) {
		return rpc.InvalidParams("for", "must be 1 to 3153600000000 milliseconds")
	}
	if p.Purge != nil {
		if bad := checkSince("purge", *p.Purge); bad != nil {
			return bad
		}
		r.act.Epoch = p.Epoch
	}
	if bad := CheckReason(p.Reason); bad != nil {
		return bad
	}
	if p.For != nil {
		r.act.Lasts = time.Duration(*p.For) * time.Millisecond
	}
	action := schema.Sanction_ACTION_MUTE
	if r.method == rpc.MethodBan {
		action = schema.Sanction_ACTION_BAN
	}
	return r.sanctions(p.User, &schema.Sanction{Action: action, Reason: p.Reason, PurgeSince: p.Purge})
}

func (r *reader) kick() *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
	}
	if bad := r.about(&p, &p.aboutUser); bad != nil {
		return bad
	}
	if bad := CheckReason(p.Reason); bad != nil {
		return bad
	}
	return r.sanctions(p.User, &schema.Sanction{Action: schema.Sanction_ACTION_KICK, Reason: p.Reason})
}

func (r *reader) lift() *rpc.Error {
	var p struct {
		aboutUser
		Action *string `json:"action"`
	}
	if bad := r.about(&p, &p.aboutUser); bad != nil {
		return bad
	}
	action := schema.Sanction_ACTION_LIFT
	if p.Action != nil {
		switch *p.Action {
		case rpc.SanctionMute:
			action = schema.Sanction_ACTION_LIFT_MUTE
		case rpc.SanctionBan:
			action = schema.Sanction_ACTION_LIFT_BAN
		default:
			return rpc.InvalidParams("action", "must be mute or ban")
		}
	}
	return r.sanctions(p.User, &schema.Sanction{Action: action})
}

func (r *reader) purge() *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
		Since  int64  `json:"since"`
		Epoch  string `json:"epoch"`
	}
	if bad := r.about(&p, &p.aboutUser); bad != nil {
		return bad
	}
	if bad := checkSince("since", p.Since); bad != nil {
		return bad
	}
	if bad := CheckReason(p.Reason); bad != nil {
		return bad
	}
	r.act.Epoch = p.Epoch
	e := &schema.Purge{Channel: p.Channel, User: p.User, By: r.by.author(), Since: p.Since, Reason: p.Reason}
	r.act.Event = &schema.Event{Kind: &schema.Event_Purge{Purge: e}}
	return nil
}

func (r *reader) set() *rpc.Error {
	var p struct {
		common
		Slow   *int64          `json:"slow"`
		Frozen *bool           `json:"frozen"`
		Topic  *string         `json:"topic"`
		Data   json.RawMessage `json:"data"`
	}
	if bad := r.moderation(&p, &p.common); bad != nil {
		return bad
	}
	switch {
	case p.Slow == nil && p.Frozen == nil && p.Topic == nil && p.Data == nil:
		return rpc.InvalidParams("params", "must name slow, frozen, topic or data")
	case p.Slow != nil && (*p.Slow < 0 || *p.Slow > rpc.MaxSlow):
		return rpc.InvalidParams("slow", "must be 0 to 86400 seconds")
	case p.Topic != nil && len(*p.Topic) > schema.MaxTopic:
		return rpc.InvalidParams("topic", "must be 256 bytes at most")
	}
	if bad := CheckData(p.Data, schema.MaxTopicData); bad != nil {
		return bad
	}
	e := &schema.Set{Channel: p.Channel, By: r.by.author(), Slow: p.Slow, Frozen: p.Frozen, Topic: p.Topic, Data: p.Data}
	if IsNull(p.Data) {
		e.Data = []byte{}
	}
	r.act.Event = &schema.Event{Kind: &schema.Event_Set{Set: e}}
	return nil
}
