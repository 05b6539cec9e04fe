package connector

import (
	"context"
	"errors"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	adminTime  = 10 * time.Second // for what operators do to be carried out
	everywhere = "*"              // what is about no channel is granted on this one
	maxTimeMs  = 253_402_300_799_999
)

// administer carries out what takes the action admin: do, within a time, once the params
// are read.
func (a *ask) administer(params any, check func() *rpc.Error, do func(context.Context) (result any, err error)) {
	bad := rpc.Decode(a.Params, params)
	if bad == nil && check != nil {
		bad = check()
	}
	if bad == nil {
		bad = mayBackend(a.by.May, grants.Admin, everywhere)
	}
	if bad != nil {
		a.fail(bad)
		return
	}
	ctx, cancel := context.WithTimeout(a.inc.ctx, adminTime)
	defer cancel()
	if !a.turn(ctx) {
		return
	}
	defer a.over()
	result, err := do(ctx)
	switch {
	case errors.As(err, &bad):
		a.fail(bad)
	case err != nil:
		a.inc.logger.Warn("a request of a backend could not be carried out", "method", a.Method, "key", a.by.Key, "error", err)
		a.fail(rpc.Unavailable(retryAfter))
	default:
		a.result(result)
	}
}

// author is the key as who acts.
func (a *ask) author() *schema.Author { return &schema.Author{By: &schema.Author_Key{Key: a.by.Key}} }

// write appends a rule, and returns when it is durable.
func (a *ask) write(ctx context.Context, r rules.Rule) (any, error) {
	return rpc.Empty{}, rules.Write(ctx, a.inc.kafka, r)
}

func (a *ask) disconnect() {
	var p rpc.DisconnectParams
	a.administer(&p, func() *rpc.Error {
		if len(p.Session) > schema.MaxID {
			return rpc.InvalidParams("session", "must be 64 bytes at most")
		}
		return firstBad(params.CheckName("user", p.User), params.CheckReason(p.Reason))
	}, func(ctx context.Context) (any, error) {
		return a.write(ctx, rules.Rule{Kind: rules.Ordered, Name: p.User, Value: &schema.Order{
			Session: p.Session, Reconnect: p.Reconnect, Reason: p.Reason, Time: time.Now().UnixMilli(), By: a.author(),
		}})
	})
}

func firstBad(all ...*rpc.Error) *rpc.Error {
	for _, bad := range all {
		if bad != nil {
			return bad
		}
	}
	return nil
}

// checkTime checks a time that may be absent.
func checkTime(field string, ms *int64) *rpc.Error {
	if ms != nil && (*ms < 1 || *ms > maxTimeMs) {
		return rpc.InvalidParams(field, "must be a time after 1970 in milliseconds")
	}
	return nil
}

func (a *ask) revoke() {
	var p rpc.RevokeParams
	a.administer(&p, func() *rpc.Error { return checkRevoke(&p, time.Now()) }, func(ctx context.Context) (any, error) {
		now := time.Now().UnixMilli()
		if p.JTI != "" {
			return a.revokeToken(ctx, &p, now)
		}
		before := now
		if p.Before != nil {
			before = *p.Before
		}
		_, err := rules.Revoke(ctx, a.inc.kafka, p.User, &schema.Revocation{Before: before, By: a.author(), Reason: p.Reason, Time: now})
		return rpc.Empty{}, err
	})
}

func checkRevoke(p *rpc.RevokeParams, now time.Time) *rpc.Error {
	switch {
	case (p.User == "") == (p.JTI == ""):
		return rpc.InvalidParams("user", "or jti must be there, and not both")
	case p.JTI != "" && p.Before != nil:
		return rpc.InvalidParams("before", "must not come with jti")
	case p.JTI == "" && p.Until != nil:
		return rpc.InvalidParams("until", "must not come with user")
	case len(p.JTI) > rules.MaxTokenID:
		return rpc.InvalidParams("jti", "is too long")
	case p.Before != nil && *p.Before > now.UnixMilli():
		return rpc.InvalidParams("before", "must not be in the future: bar keeps a user out")
	case p.Until != nil && *p.Until < now.UnixMilli():
		return rpc.InvalidParams("until", "must not have passed: such a token needs no revocation")
	case p.User != "":
		if bad := params.CheckName("user", p.User); bad != nil {
			return bad
		}
	}
	return firstBad(checkTime("before", p.Before), checkTime("until", p.Until), params.CheckReason(p.Reason))
}

// revokeToken revokes one token, for as long as a token lasts at most that is issued
// now, where nothing else is said.
func (a *ask) revokeToken(ctx context.Context, p *rpc.RevokeParams, now int64) (any, error) {
	until := int64(0)
	if p.Until != nil {
		until = *p.Until
	} else if age, err := roles.TokenAge(ctx, a.inc.kafka); err != nil {
		return nil, err
	} else if age > 0 {
		until = now + age.Milliseconds()
	}
	return a.write(ctx, rules.Rule{Kind: rules.RevokedToken, Name: p.JTI, Value: &schema.TokenRevocation{
		Until: until, By: a.author(), Reason: p.Reason, Time: now,
	}})
}

func (a *ask) bar() {
	var p rpc.BarParams
	a.administer(&p, func() *rpc.Error {
		return firstBad(params.CheckName("user", p.User), checkTime("until", p.Until), params.CheckReason(p.Reason))
	}, func(ctx context.Context) (any, error) {
		bar := &schema.Bar{By: a.author(), Reason: p.Reason, Time: time.Now().UnixMilli()}
		if p.Until != nil {
			bar.Until = *p.Until
		}
		return a.write(ctx, rules.Rule{Kind: rules.Barred, Name: p.User, Value: bar})
	})
}

func (a *ask) grant() {
	var p rpc.GrantParams
	a.administer(&p, func() *rpc.Error {
		return firstBad(params.CheckName("user", p.User), checkGrants(p.Grants))
	}, func(ctx context.Context) (any, error) {
		all := make([]*schema.Grant, len(p.Grants))
		for i, g := range p.Grants {
			all[i] = &schema.Grant{Channels: g.Channels, Allow: g.Allow}
		}
		return a.write(ctx, rules.Rule{Kind: rules.Granted, Name: p.User, Value: &schema.UserGrants{
			Grants: all, By: a.author(), Time: time.Now().UnixMilli(),
		}})
	})
}

// checkGrants refuses grants that would not count. None at all must be an empty list, so
// that nobody loses theirs by a name that is written wrongly.
func checkGrants(all []rpc.Grant) *rpc.Error {
	if all == nil {
		return rpc.InvalidParams("grants", "must be a list; an empty one takes away what was granted")
	}
	made := make([]grants.Grant, len(all))
	for i, g := range all {
		var err error
		if made[i], err = grants.New(g.Channels, g.Allow); err != nil {
			return rpc.InvalidParams("grants", err.Error())
		}
		for _, action := range g.Allow {
			if !grants.Known(action) {
				return rpc.InvalidParams("grants", "allow what is not an action of users")
			}
		}
	}
	if _, err := grants.NewList(made...); err != nil {
		return rpc.InvalidParams("grants", err.Error())
	}
	return nil
}

func (a *ask) info() {
	a.administer(new(rpc.Empty), nil, func(ctx context.Context) (any, error) {
		inc := a.inc
		r := rpc.InfoResult{
			Epoch: inc.log.Epoch, Partitions: inc.log.Partitions, Sessions: inc.sessions.count(),
			Format:     int(max(inc.log.Format, inc.rules.table.Format(inc.log.Epoch), 1)),
			Connectors: []rpc.ConnectorInfo{}, Groups: []rpc.GroupInfo{},
		}
		all, err := roles.Connectors(ctx, inc.kafka)
		if err != nil {
			return nil, err
		}
		for _, c := range all {
			r.Connectors = append(r.Connectors, rpc.ConnectorInfo{
				Connector: c.Name, Address: c.At, Version: c.Version, Format: int(c.Format), Draining: c.Leaving,
			})
		}
		r.Groups, err = a.groups(ctx, r.Groups)
		return r, err
	})
}

// groups appends the consumer groups of chat workers and projectors, and how far each
// has come.
func (a *ask) groups(ctx context.Context, all []rpc.GroupInfo) ([]rpc.GroupInfo, error) {
	inc := a.inc
	groups, err := roles.Groups(ctx, inc.kafka)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, inc.log.Partitions)
	for p := range ends {
		if _, ends[p], err = inc.kafka.Offsets(ctx, schema.TopicEvents, p); err != nil {
			return nil, err
		}
	}
	for _, g := range groups {
		committed, err := admin.Committed(ctx, inc.kafka, g.Name, schema.TopicEvents, inc.log.Partitions)
		if err != nil {
			return nil, err
		}
		info := rpc.GroupInfo{Group: g.Name, Members: len(g.Roles)}
		for p, end := range ends {
			info.Lag += max(0, end-max(0, committed[p]))
		}
		all = append(all, info)
	}
	return all, nil
}
