package connector

import (
	"encoding/json"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// toModerate are the params that moderators' acts have in common.
type toModerate struct {
	Channel string  `json:"channel"`
	ID      *string `json:"id"`
	Retry   bool    `json:"retry"`
}

// aboutUser are those of acts that are about a user.
type aboutUser struct {
	toModerate
	User string `json:"user"`
}

// readModeration reads the params of a moderator's act, of which common are a part.
func (c *call) readModeration(r rpc.Request, params any, common *toModerate) *rpc.Error {
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
	return checkID(common.ID)
}

// readAbout reads the params of an act about a user.
func (c *call) readAbout(r rpc.Request, params any, common *aboutUser) *rpc.Error {
	if bad := c.readModeration(r, params, &common.toModerate); bad != nil {
		return bad
	}
	return checkName("user", common.User)
}

// moderate is a moderator's act, whose event takes its id from name.
func (c *call) moderate(p *toModerate, e *schema.Event, name func(id string)) *act {
	return &act{call: c, takes: grants.Moderate, id: p.ID, retry: p.Retry, moderates: true, event: e, name: name}
}

// author is the session's user as who acts.
func (s *session) author() *schema.Author {
	return &schema.Author{By: &schema.Author_User{User: s.user}}
}

// sanction is the act whose event is e, which is given what sanctions have in
// common.
func (c *call) sanction(p *aboutUser, e *schema.Sanction) *act {
	e.Channel, e.User, e.By = p.Channel, p.User, c.session.author()
	return c.moderate(&p.toModerate, &schema.Event{Kind: &schema.Event_Sanction{Sanction: e}}, func(id string) { e.Id = id })
}

// maxLasting is how many milliseconds a mute or a ban lasts at most that has an end.
const maxLasting = 100 * 365 * 24 * 60 * 60 * 1000

func (c *call) mute(r rpc.Request) *rpc.Error { return c.restrict(r, schema.Sanction_ACTION_MUTE) }

func (c *call) ban(r rpc.Request) *rpc.Error { return c.restrict(r, schema.Sanction_ACTION_BAN) }

func (c *call) restrict(r rpc.Request, action schema.Sanction_Action) *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
		For    *int64 `json:"for"`
		Purge  *int64 `json:"purge"`
		Epoch  string `json:"epoch"`
	}
	if bad := c.readAbout(r, &p, &p.aboutUser); bad != nil {
		return bad
	}
	if p.For != nil && (*p.For < 1 || *p.For > maxLasting) {
		return rpc.InvalidParams("for", "must be 1 to 3153600000000 milliseconds")
	}
	if p.Purge != nil {
		if bad := checkSince("purge", *p.Purge); bad != nil {
			return bad
		}
	}
	if bad := checkReason(p.Reason); bad != nil {
		return bad
	}
	a := c.sanction(&p.aboutUser, &schema.Sanction{Action: action, Reason: p.Reason, PurgeSince: p.Purge})
	if p.Purge != nil {
		a.epoch = p.Epoch
	}
	if p.For != nil {
		a.lasts = time.Duration(*p.For) * time.Millisecond
	}
	return a.begin(p.Channel)
}

func checkSince(field string, seq int64) *rpc.Error {
	if seq < 0 || seq > maxSeq {
		return rpc.InvalidParams(field, "must be a seq, or 0")
	}
	return nil
}

func (c *call) kick(r rpc.Request) *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
	}
	if bad := c.readAbout(r, &p, &p.aboutUser); bad != nil {
		return bad
	}
	if bad := checkReason(p.Reason); bad != nil {
		return bad
	}
	return c.sanction(&p.aboutUser, &schema.Sanction{Action: schema.Sanction_ACTION_KICK, Reason: p.Reason}).begin(p.Channel)
}

func (c *call) lift(r rpc.Request) *rpc.Error {
	var p struct {
		aboutUser
		Action *string `json:"action"`
	}
	if bad := c.readAbout(r, &p, &p.aboutUser); bad != nil {
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
	return c.sanction(&p.aboutUser, &schema.Sanction{Action: action}).begin(p.Channel)
}

func (c *call) purge(r rpc.Request) *rpc.Error {
	var p struct {
		aboutUser
		Reason string `json:"reason"`
		Since  int64  `json:"since"`
		Epoch  string `json:"epoch"`
	}
	if bad := c.readAbout(r, &p, &p.aboutUser); bad != nil {
		return bad
	}
	if bad := checkSince("since", p.Since); bad != nil {
		return bad
	}
	if bad := checkReason(p.Reason); bad != nil {
		return bad
	}
	e := &schema.Purge{Channel: p.Channel, User: p.User, By: c.session.author(), Since: p.Since, Reason: p.Reason}
	a := c.moderate(&p.toModerate, &schema.Event{Kind: &schema.Event_Purge{Purge: e}}, func(id string) { e.Id = id })
	a.epoch = p.Epoch
	return a.begin(p.Channel)
}

func (c *call) set(r rpc.Request) *rpc.Error {
	var p struct {
		toModerate
		Slow   *int64          `json:"slow"`
		Frozen *bool           `json:"frozen"`
		Topic  *string         `json:"topic"`
		Data   json.RawMessage `json:"data"`
	}
	if bad := c.readModeration(r, &p, &p.toModerate); bad != nil {
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
	if bad := checkData(p.Data, schema.MaxTopicData); bad != nil {
		return bad
	}
	e := &schema.Set{Channel: p.Channel, By: c.session.author(), Slow: p.Slow, Frozen: p.Frozen, Topic: p.Topic, Data: p.Data}
	if isNull(p.Data) {
		e.Data = []byte{}
	}
	return c.moderate(&p.toModerate, &schema.Event{Kind: &schema.Event_Set{Set: e}}, func(id string) { e.Id = id }).begin(p.Channel)
}
