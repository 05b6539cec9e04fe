package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// comesBack enters within a time in which no session whose connection was cut
// has left its channels yet.
func comesBack(t *testing.T, url, name string) *user {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	for {
		c, hello, err := client.Enter(ctx, url, name)
		if err == nil {
			t.Cleanup(c.Cut)
			return &user{c, t, name, hello, map[string]int64{}}
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not get in: %v", name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Clients that were cut come back to a full connector at once, although their
// old sessions still wait for them.
func TestCutClientsComeBackToAFullConnector(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(func(cfg *connector.Config) { cfg.MaxConnections = 4 }).addr
	watcher := enter(t, url, "watcher")
	watcher.join("a")
	var users []*user
	for _, name := range []string{"ada", "bob", "eve"} {
		u := enter(t, url, name)
		u.join("a")
		users = append(users, u)
	}
	for _, u := range users {
		u.Cut()
	}
	for _, u := range users {
		comesBack(t, url, u.name).join("a")
	}
}

// Where more sessions wait for their leaves than there may be connections, the
// leaves come at once.
//
//parley:bound sessions that wait for their leaves
func TestSessionsThatWaitForTheirLeavesAreBounded(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(func(cfg *connector.Config) { cfg.MaxConnections = 3 }).addr
	watcher := enter(t, url, "watcher")
	watcher.join("a")
	begun := time.Now()
	for i := range 4 {
		u := comesBack(t, url, fmt.Sprint("user", i))
		u.join("a")
		u.Cut()
	}
	var left struct{ User string }
	if err := json.Unmarshal(watcher.sees(rpc.PushLeft).Params, &left); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); left.User != "user3" && took < 5*time.Second {
		t.Errorf("%s left first, after %v; three others may wait, and user3 was the fourth", left.User, took)
	}
}

// A session joins all of its channels at once, and no more than that; a user's
// messages in a channel are bounded over all sessions, and nothing that is
// refused is stored.
func TestRatesOfJoinsAndMessages(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	c, tel := measured(t)
	c.worker()
	url := c.connector(func(cfg *connector.Config) {
		cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: key}}, Algorithms: []string{"HS256"}}
		cfg.Limits.Channels, cfg.Limits.Joins, cfg.Limits.Chats = 20, 1, 1 // slower than any machine asks
	}).addr
	session := func(name string) *user {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": name, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "parley": grantAll}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := client.Dial(soon(t), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Cut)
		u := &user{cl, t, name, rpc.HelloResult{}, map[string]int64{}}
		u.call(rpc.MethodHello, rpc.HelloParams{Token: token}, &u.hello)
		return u
	}
	ada, again := session("ada"), session("ada")
	if l := ada.hello.Limits; l.Rate != 100 || l.Joins != 1 || l.Chats != 1 {
		t.Errorf("hello says %+v", l)
	}
	for i := range 20 {
		ada.join(fmt.Sprint("c", i))
	}
	again.join("c0")
	refused, retry := 0, int64(0)
	for range 60 { // each is a join, the channel's one or not
		err := ada.Call(soon(t), rpc.MethodJoin, rpc.JoinParams{Channel: "c0"}, nil)
		var bad *rpc.Error
		if errors.As(err, &bad) && bad.Code == rpc.CodeRateLimited {
			refused, retry = refused+1, bad.Data.Retry
		}
	}
	if refused == 0 || retry < 1 || retry > 1010 {
		t.Errorf("%d of 60 joins were refused, the last one for %d ms, at 1 a second", refused, retry)
	}
	stored, begun := 0, time.Now()
	for i := range 60 {
		from := []*user{ada, again}[i%2]
		err := from.Call(soon(t), rpc.MethodChat, rpc.ChatParams{Channel: "c0", Body: "x"}, nil)
		var bad *rpc.Error
		switch {
		case err == nil:
			stored++
		case !errors.As(err, &bad) || bad.Code != rpc.CodeRateLimited:
			t.Fatal(err)
		}
	}
	if most := 2 + 1 + int(time.Since(begun).Seconds()); stored > most || stored < 2 {
		t.Errorf("%d messages were taken, want 2 to %d", stored, most)
	}
	ada.chat("c1", "another channel")
	counted := scrape(t, tel)
	for _, limit := range []string{"joins", "chats"} {
		if counted.value("parley_connector_limited_total", "limit", limit) == 0 {
			t.Errorf("what met the limit of %s is not counted", limit)
		}
	}
}

// A connector whose listener is gone ends: it would stay ready, but accept nobody.
func TestConnectorEndsWithItsListener(t *testing.T) {
	c := newCluster(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connector.New(connector.Config{Base: roles.Base{Kafka: c.config("connector")}, ClickHouse: c.clickhouse, Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- conn.Run(t.Context()) }()
	await.That(t, "the connector is ready", ready(t, conn))
	_ = l.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(patience):
		t.Fatal("it goes on without a listener")
	}
}
