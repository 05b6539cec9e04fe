package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// ruler writes rules into a cluster's log.
type ruler struct {
	*cluster
	kafka *eventlog.Client
}

func (c *cluster) ruler() *ruler {
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(kafka.Close)
	return &ruler{c, kafka}
}

func (r *ruler) rule(kind rules.Kind, name string, value proto.Message) {
	r.t.Helper()
	if err := rules.Write(soon(r.t), r.kafka, rules.Rule{Kind: kind, Name: name, Value: value}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *ruler) revoke(user string, before time.Time) {
	r.t.Helper()
	if _, err := rules.Revoke(soon(r.t), r.kafka, user, &schema.Revocation{Before: before.UnixMilli()}); err != nil {
		r.t.Fatal(err)
	}
}

// userToken is a token of a user who may do everything.
func userToken(t *testing.T, name string, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": name, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "parley": grantAll}
	maps.Copy(claims, change)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(grantsKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// hello opens a session with a token; bad is how hello was refused.
func hello(t *testing.T, url, token string) (u *user, bad *rpc.Error) {
	t.Helper()
	cl, err := client.Dial(soon(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Cut)
	u = &user{cl, t, "", rpc.HelloResult{}, map[string]int64{}}
	err = cl.Call(soon(t), rpc.MethodHello, rpc.HelloParams{Token: token}, &u.hello)
	if bad, _ = err.(*rpc.Error); err != nil && bad == nil {
		bad = &rpc.Error{Message: err.Error()} // no answer
	}
	u.name = u.hello.User
	return u, bad
}

// closed waits for the end of a session.
func (u *user) closed(want int) {
	u.t.Helper()
	if code, err := u.Ended(soon(u.t)); code != want {
		u.t.Errorf("%s is closed with %d (%v), want %d", u.name, code, err, want)
	}
}

// Rules end sessions on every connector and are asked at every hello, also by
// connectors that start later.
func TestRulesAboutUsers(t *testing.T) {
	c := newCluster(t)
	c.worker()
	urls := []string{c.connector(authenticated(nil)).addr, c.connector(authenticated(nil)).addr}
	r := c.ruler()
	issued := time.Now().Add(-10 * time.Second)
	old := jwt.MapClaims{"iat": issued.Unix()}
	old2 := func(more jwt.MapClaims) jwt.MapClaims {
		maps.Copy(more, old)
		return more
	}
	every := func(name, token string) (all []*user) {
		t.Helper()
		for _, url := range urls {
			u, bad := hello(t, url, token)
			if bad != nil {
				t.Fatalf("%s: %v", name, bad)
			}
			u.join("room")
			all = append(all, u)
		}
		return all
	}
	refused := func(token string, code, closed int) (last *rpc.Error) {
		t.Helper()
		for _, url := range urls {
			u, bad := hello(t, url, token)
			if bad == nil || bad.Code != code {
				t.Fatalf("hello is answered with %v, want error %d", bad, code)
			}
			u.closed(closed)
			last = bad
		}
		return last
	}

	ada, other := every("ada", userToken(t, "ada", old)), every("adam", userToken(t, "adam", old))
	r.revoke("ada", time.Now().Add(-5*time.Second))
	for _, u := range ada {
		u.closed(rpc.CloseBadToken)
	}
	refused(userToken(t, "ada", old), rpc.CodeUnauthenticated, rpc.CloseBadToken)
	ada = every("ada", userToken(t, "ada", nil)) // whose identity provider does not mind

	bob := every("bob", userToken(t, "bob", jwt.MapClaims{"jti": "stolen"}))
	twin := every("bob", userToken(t, "bob", jwt.MapClaims{"jti": "mine"}))
	r.rule(rules.RevokedToken, "stolen", &schema.TokenRevocation{})
	for _, u := range bob {
		u.closed(rpc.CloseBadToken)
	}
	refused(userToken(t, "bob", jwt.MapClaims{"jti": "stolen"}), rpc.CodeUnauthenticated, rpc.CloseBadToken)

	troll := every("troll", userToken(t, "troll", old2(jwt.MapClaims{"jti": "t"})))
	until := time.Now().Add(time.Hour).UnixMilli()
	r.rule(rules.Barred, "troll", &schema.Bar{Until: until, Reason: "spam"})
	for _, u := range troll {
		u.closed(rpc.CloseAdmin)
	}
	urls = append(urls, c.connector(authenticated(nil)).addr) // it reads what was written before
	bad := refused(userToken(t, "troll", nil), rpc.CodeSanctioned, rpc.CloseAdmin)
	if want := (rpc.ErrorData{Action: "ban", Until: until, Reason: "spam"}); *bad.Data != want {
		t.Errorf("a barred user is told %+v", *bad.Data)
	}
	refused(userToken(t, "ada", old), rpc.CodeUnauthenticated, rpc.CloseBadToken)
	refused(userToken(t, "bob", jwt.MapClaims{"jti": "stolen"}), rpc.CodeUnauthenticated, rpc.CloseBadToken)
	r.rule(rules.Barred, "troll", &schema.Bar{Until: time.Now().Add(-time.Second).UnixMilli()})
	await.That(t, "the bar is lifted", func() bool {
		_, bad := hello(t, urls[2], userToken(t, "troll", nil))
		return bad == nil
	})

	eve := every("eve", userToken(t, "eve", nil))
	r.rule(rules.Ordered, "eve", &schema.Order{Session: eve[0].hello.Session, Reconnect: true, Time: time.Now().UnixMilli()})
	eve[0].closed(rpc.CloseTryLater)
	r.rule(rules.Ordered, "eve", &schema.Order{Time: time.Now().UnixMilli()})
	eve[1].closed(rpc.CloseAdmin)
	eve = every("eve", userToken(t, "eve", nil)) // an order is about those of before

	for _, all := range [][]*user{ada, other, twin, eve} {
		for _, u := range all {
			if err := u.Call(soon(t), rpc.MethodPing, nil, nil); err != nil {
				t.Errorf("%s, whom nothing was about: %v", u.name, err)
			}
		}
	}
}

// What the rules grant counts beside tokens, and ends when it is taken away.
// Revoking ends what channel tokens grant, too.
func TestRulesAboutChannels(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(nil)).addr
	r := c.ruler()
	ada := granted(t, url, "ada", "")
	join := func(u *user, channel string) string {
		return u.outcome(rpc.MethodJoin, rpc.JoinParams{Channel: channel})
	}
	grant := func(channels ...string) {
		t.Helper()
		r.rule(rules.Granted, "ada", &schema.UserGrants{Grants: []*schema.Grant{{Channels: channels, Allow: []string{"join", "chat"}}}})
	}
	if got := join(ada, "room"); got != "1002 join room" {
		t.Errorf("before: %q", got)
	}
	grant("room", "{bad", "{user}-*")
	await.That(t, "a malformed pattern takes the grant with it", func() bool { return join(ada, "room") == "1002 join room" })
	grant("room", "{user}-*")
	await.That(t, "the grant is in force", func() bool { return join(ada, "room") == "" && join(ada, "ada-1") == "" })
	if got := join(granted(t, url, "bob", ""), "room"); got != "1002 join room" {
		t.Errorf("somebody else: %q", got)
	}
	removed := func(u *user, want string) {
		t.Helper()
		var p rpc.RemovedPush
		if err := json.Unmarshal(u.sees(rpc.PushRemoved).Params, &p); err != nil || p.Channel != want {
			t.Errorf("%s is out of %+v, %v, want %s", u.name, p, err, want)
		}
	}
	grant("{user}-*")
	removed(ada, "room")
	r.rule(rules.Granted, "ada", &schema.UserGrants{})
	removed(ada, "ada-1")

	eve := granted(t, url, "eve", allowing("lobby", `"*"`))
	eve.join("lobby")
	token := func(jti string) string { return channelToken(t, "eve", "room", jwt.MapClaims{"jti": jti}) }
	eve.joinWith(rpc.JoinParams{Channel: "room", Token: token("one")})
	r.rule(rules.RevokedToken, "one", &schema.TokenRevocation{Until: time.Now().Add(time.Hour).UnixMilli()})
	removed(eve, "room")
	again := func(token string) string {
		err := eve.Call(soon(t), rpc.MethodJoin, rpc.JoinParams{Channel: "room", Token: token}, nil)
		if bad, is := err.(*rpc.Error); is && bad.Data != nil {
			return fmt.Sprint(bad.Code, " ", bad.Data.Reason)
		}
		return fmt.Sprint(err)
	}
	if got := again(token("one")); got != "1002 revoked" {
		t.Errorf("a revoked channel token: %s", got)
	}
	if got := again(token("two")); got != "<nil>" {
		t.Errorf("another one: %s", got)
	}
	eve.chat("lobby", "still here")
}
