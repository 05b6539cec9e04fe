// Package rules changes and shows what parley.rules says of users, for
// operators' commands: who is revoked, barred, and granted what.
package rules

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// Key is who operators' commands are in what they write.
const Key = "cli"

func author() *schema.Author { return &schema.Author{By: &schema.Author_Key{Key: Key}} }

// Revoke ends a user's tokens that were issued before a time, and returns the
// time that holds: a later one that was written before stays.
func Revoke(ctx context.Context, kafka *eventlog.Client, user string, before time.Time, reason string) (time.Time, error) {
	r, err := rules.Revoke(ctx, kafka, user, &schema.Revocation{
		Before: before.UnixMilli(), By: author(), Reason: reason, Time: time.Now().UnixMilli(),
	})
	if err != nil {
		return time.Time{}, explain(err)
	}
	return time.UnixMilli(r.Before), nil
}

// RevokeToken ends the token with a jti, and returns until when that is
// remembered: a zero time means for ever. With a zero until it is remembered for
// as long as tokens last that are issued now, by the settings of the connectors
// that run.
func RevokeToken(ctx context.Context, kafka *eventlog.Client, jti string, until time.Time, reason string) (time.Time, error) {
	if until.IsZero() {
		age, err := roles.TokenAge(ctx, kafka)
		if err != nil {
			return until, err
		}
		if age > 0 {
			until = time.Now().Add(age)
		}
	}
	return until, write(ctx, kafka, rules.Rule{Kind: rules.RevokedToken, Name: jti, Value: &schema.TokenRevocation{
		Until: milliseconds(until), By: author(), Reason: reason, Time: time.Now().UnixMilli(),
	}})
}

// Bar keeps a user out until a time; a zero one means for ever.
func Bar(ctx context.Context, kafka *eventlog.Client, user string, until time.Time, reason string) error {
	return write(ctx, kafka, rules.Rule{Kind: rules.Barred, Name: user, Value: &schema.Bar{
		Until: milliseconds(until), By: author(), Reason: reason, Time: time.Now().UnixMilli(),
	}})
}

// Lift lifts the bar of a user; false: there was none, and nothing was written.
func Lift(ctx context.Context, kafka *eventlog.Client, user, reason string) (bool, error) {
	l, err := rules.Load(ctx, kafka)
	if err != nil {
		return false, explain(err)
	}
	now := time.Now()
	if _, barred := l.Table.Barred(user, now); !barred {
		return false, nil
	}
	return true, write(ctx, kafka, rules.Rule{Kind: rules.Barred, Name: user, Value: &schema.Bar{
		Until: 1, By: author(), Reason: reason, Time: now.UnixMilli(), // long past, whatever a connector's clock shows
	}})
}

// SetGrants replaces what is granted to a user by this command; none take it away.
func SetGrants(ctx context.Context, kafka *eventlog.Client, user string, grants []*schema.Grant) error {
	return write(ctx, kafka, rules.Rule{Kind: rules.Granted, Name: user, Value: &schema.UserGrants{
		Grants: grants, By: author(), Time: time.Now().UnixMilli(),
	}})
}

func write(ctx context.Context, kafka *eventlog.Client, r rules.Rule) error {
	return explain(rules.Write(ctx, kafka, r))
}

// explain says what to do where there is no topic.
func explain(err error) error {
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		return fmt.Errorf("there is no topic %s, which connectors read: start a connector or a projector of this version, or run `parley topics create`", schema.TopicRules)
	}
	return err
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
