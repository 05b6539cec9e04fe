package tests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// everyAction are the actions that a grant may name.
var everyAction = []string{"join", "history", "chat", "private", "edit", "react", "signal", "moderate"}

// means is what a name in a grant allows.
func means(name string) []string {
	switch name {
	case "*":
		return everyAction[:7]
	case "moderate":
		return everyAction
	}
	return []string{name}
}

// accessRequest is a request and the action that it takes.
type accessRequest struct {
	name, method, action string
	params               func(channel string) any
}

var accessRequests = []accessRequest{
	{"join", rpc.MethodJoin, "join", func(ch string) any { return rpc.JoinParams{Channel: ch} }},
	{"join again", rpc.MethodJoin, "join", func(ch string) any { return rpc.JoinParams{Channel: ch, Limit: ptr(0)} }},
	{"members", rpc.MethodMembers, "join", func(ch string) any { return rpc.MembersParams{Channel: ch} }},
	{"chat", rpc.MethodChat, "chat", func(ch string) any { return rpc.ChatParams{Channel: ch, Body: "hi"} }},
	{"a private chat", rpc.MethodChat, "private", func(ch string) any { return rpc.ChatParams{Channel: ch, Body: "hi", To: "eve"} }},
	{"history", rpc.MethodHistory, "history", func(ch string) any { return rpc.HistoryParams{Channel: ch} }},
	{"a page of history", rpc.MethodHistory, "history", func(ch string) any { return rpc.HistoryParams{Channel: ch, Before: ptr(int64(1))} }},
	{"search", rpc.MethodSearch, "history", func(ch string) any { return rpc.SearchParams{Query: "hi", Channel: ch} }},
	{"leave", rpc.MethodLeave, "join", func(ch string) any { return rpc.LeaveParams{Channel: ch} }},
}

// answer is how a request must be answered: allow are the actions that are
// granted in the channel, nil where no grant is about it.
func (r *accessRequest) answer(channel string, allow []string) string {
	switch {
	case allow == nil:
		return "1002 join " + channel
	case r.method == rpc.MethodSearch && !slices.Contains(allow, "join"):
		return "1002 join " + channel
	case r.method == rpc.MethodSearch && slices.Contains(allow, "history"):
		return "" // it need not be joined
	case !slices.Contains(allow, r.action):
		return "1002 " + r.action + " " + channel
	case !slices.Contains(allow, "join"):
		return fmt.Sprint(rpc.CodeNotJoined)
	}
	return ""
}

// standing is a way in which somebody may be granted actions in a channel.
type standing struct {
	name string
	// enter opens a session and returns the channel, and the params of its join.
	enter func(t *testing.T, user string, allow []string) (*user, rpc.JoinParams)
	// any: whatever is granted, everything is allowed; none: nothing.
	any, none bool
}

// Each request takes the action that the contract names, and no other, however it
// is granted; one by one, and pipelined behind a join.
func TestAccess(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(authenticated(nil)).addr
	free := c.connector(nil).addr
	r := c.ruler()
	quoted := func(allow []string) string { return `"` + strings.Join(allow, `","`) + `"` }
	byToken := func(pattern func(channel string) string, channel func(user string) string) func(*testing.T, string, []string) (*user, rpc.JoinParams) {
		return func(t *testing.T, name string, allow []string) (*user, rpc.JoinParams) {
			ch := channel(name)
			return granted(t, url, name, allowing(pattern(ch), quoted(allow))), rpc.JoinParams{Channel: ch}
		}
	}
	room := func(user string) string { return "room-" + user }
	for _, s := range []standing{
		{name: "no grant", none: true, enter: func(t *testing.T, name string, _ []string) (*user, rpc.JoinParams) {
			return granted(t, url, name, ""), rpc.JoinParams{Channel: room(name)}
		}},
		{name: "a grant elsewhere", none: true, enter: byToken(func(ch string) string { return ch + "s" }, room)},
		{name: "an exact grant", enter: byToken(func(ch string) string { return ch }, room)},
		{name: "a pattern", enter: byToken(func(ch string) string { return "r*" + ch[5:] }, room)},
		{name: "{user}", enter: byToken(func(string) string { return "{user}:*" }, func(user string) string { return user + ":notes" })},
		{name: "{user} of another", none: true, enter: byToken(func(string) string { return "{user}:*" }, func(user string) string { return user + "s:notes" })},
		{name: "a channel token", enter: func(t *testing.T, name string, allow []string) (*user, rpc.JoinParams) {
			token := channelToken(t, name, room(name), jwt.MapClaims{"allow": allow})
			return granted(t, url, name, ""), rpc.JoinParams{Channel: room(name), Token: token}
		}},
		{name: "a channel token that ran out", none: true, enter: func(t *testing.T, name string, allow []string) (*user, rpc.JoinParams) {
			token := channelToken(t, name, room(name), jwt.MapClaims{"allow": allow, "exp": time.Now().Add(-time.Second).Unix(), "iat": time.Now().Add(-time.Hour).Unix()})
			return granted(t, url, name, ""), rpc.JoinParams{Channel: room(name), Token: token}
		}},
		{name: "a rule", enter: func(t *testing.T, name string, allow []string) (*user, rpc.JoinParams) {
			r.rule(rules.Granted, name, &schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{room(name)}, Allow: allow}}})
			u := granted(t, url, name, "")
			await.That(t, "the rule is known", func() bool {
				return u.outcome(rpc.MethodHistory, rpc.HistoryParams{Channel: room(name)}) != "1002 join "+room(name)
			})
			return u, rpc.JoinParams{Channel: room(name)}
		}},
		{name: "open", any: true, enter: func(t *testing.T, name string, _ []string) (*user, rpc.JoinParams) {
			u := enter(t, free, name)
			return u, rpc.JoinParams{Channel: room(name)}
		}},
	} {
		for i, allow := range accessSets() {
			t.Run(s.name+"/"+strings.Join(allow, "+"), func(t *testing.T) {
				has := []string{}
				for _, name := range allow {
					has = append(has, means(name)...)
				}
				if s.any {
					has = means("*")
				}
				if s.none {
					has = nil
				}
				name := fmt.Sprintf("u%d-%d", i, len(s.name))
				for _, pipelined := range []bool{true, false} {
					u, join := s.enter(t, name, allow)
					for k, got := range u.answers(join, pipelined) {
						want := accessRequests[k].answer(join.Channel, has)
						if k == 0 && join.Token != "" && s.none {
							want = "1002  " // for a reason of the token
						}
						if got != want {
							t.Errorf("%s, pipelined %v: %q, want %q", accessRequests[k].name, pipelined, got, want)
						}
					}
					u.Cut()
				}
			})
		}
	}
}

// accessSets are what may be granted: each action alone, each with join, and all.
func accessSets() (sets [][]string) {
	for _, name := range append(slices.Clone(everyAction), "*") {
		sets = append(sets, []string{name})
		if name != "join" && name != "*" && name != "moderate" {
			sets = append(sets, []string{"join", name})
		}
	}
	return sets
}

// answers sends the requests about a channel, in their order, and returns how
// they were answered; all of them again where history cannot be read just then.
func (u *user) answers(join rpc.JoinParams, pipelined bool) (all []string) {
	u.t.Helper()
	await.That(u.t, "history can be read", func() bool {
		all = u.answersOnce(join, pipelined)
		return !slices.Contains(all, fmt.Sprint(rpc.CodeHistoryUnavailable))
	})
	return all
}

func (u *user) answersOnce(join rpc.JoinParams, pipelined bool) (all []string) {
	u.t.Helper()
	var waits []func(context.Context, any) error
	for i, r := range accessRequests {
		params := r.params(join.Channel)
		if i == 0 {
			params = join
		}
		if !pipelined {
			all = append(all, u.outcome(r.method, params))
			continue
		}
		wait, err := u.Start(r.method, params)
		if err != nil {
			u.t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		all = append(all, u.read(wait(soon(u.t), nil)))
	}
	return all
}

// Who may not be here at all is told so at hello, and everything else is refused.
func TestAccessOfThoseWhoMayNotBeHere(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(nil)).addr
	r := c.ruler()
	r.rule(rules.Barred, "barred", &schema.Bar{})
	r.revoke("revoked", time.Now().Add(time.Minute))
	r.rule(rules.Barred, "known", &schema.Bar{}) // after the others
	await.That(t, "the rules are known", func() bool { _, bad := hello(t, url, userToken(t, "known", nil)); return bad != nil })
	for name, token := range map[string]struct {
		token      string
		code, with int
	}{
		"no token":                {"", rpc.CodeUnauthenticated, rpc.CloseBadToken},
		"a token that ran out":    {userToken(t, "ada", jwt.MapClaims{"exp": time.Now().Add(-time.Second).Unix(), "iat": time.Now().Add(-time.Hour).Unix()}), rpc.CodeUnauthenticated, rpc.CloseExpired},
		"a token that is revoked": {userToken(t, "revoked", nil), rpc.CodeUnauthenticated, rpc.CloseBadToken},
		"a user who is barred":    {userToken(t, "barred", nil), rpc.CodeSanctioned, rpc.CloseAdmin},
	} {
		t.Run(name, func(t *testing.T) {
			u, bad := hello(t, url, token.token)
			if bad == nil || bad.Code != token.code {
				t.Fatalf("hello: %v", bad)
			}
			for _, r := range accessRequests { // nothing is answered any more
				if _, err := u.Start(r.method, r.params("room")); err != nil && !errors.Is(err, context.Canceled) {
					break
				}
			}
			u.closed(token.with)
		})
	}
}
