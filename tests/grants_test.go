package tests

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

var grantsKey = []byte("0123456789abcdef0123456789abcdef")

// grantsToken is a token of a user with grants in JSON; "" for none.
func grantsToken(t *testing.T, name, grants string) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": name, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	if grants != "" {
		claims["parley"] = map[string]any{"grants": jsonText(grants)}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(grantsKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }

func allowing(channel, actions string) string {
	return fmt.Sprintf(`[{"channels": [%q], "allow": [%s]}]`, channel, actions)
}

// granted is a session of a user whose token has these grants.
func granted(t *testing.T, url, name, grants string) *user {
	t.Helper()
	cl, err := client.Dial(soon(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Cut)
	u := &user{cl, t, name, rpc.HelloResult{}, map[string]int64{}}
	u.call(rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, name, grants)}, &u.hello)
	return u
}

// outcome is how a request is answered: "" or the error's code, with the
// action that is missing.
func (u *user) outcome(method string, params any) string {
	u.t.Helper()
	return u.read(u.ask(method, params, nil))
}

// read is the outcome of a request by its error.
func (u *user) read(err error) string {
	u.t.Helper()
	var bad *rpc.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &bad):
		u.t.Fatal(err)
	case bad.Code == rpc.CodeForbidden:
		if bad.Data == nil || bad.Data.Reason == "" && !strings.Contains(bad.Message, "parley.grants") {
			u.t.Errorf("%s: %v does not say where grants come from", u.name, bad)
			return "1002"
		}
		return "1002 " + bad.Data.Action + " " + bad.Data.Channel
	}
	return fmt.Sprint(bad.Code)
}

func authenticated(change func(*connector.Config)) func(*connector.Config) {
	return func(cfg *connector.Config) {
		cfg.Auth = &identity.Auth{Keys: []identity.Key{{Material: grantsKey}}, Algorithms: []string{"HS256"}}
		cfg.Edge.Upgrades = -1 // a test opens many at once
		if change != nil {
			change(cfg)
		}
	}
}

// Parameters are checked first, then grants, then membership, so 1002 tells
// nothing about what exists.
func TestGrantsAreCheckedInTheirTurn(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(nil)).addr
	eve := granted(t, url, "eve", allowing("lobby", `"*"`))
	invalid, large, unjoined := fmt.Sprint(rpc.CodeInvalidParams), fmt.Sprint(rpc.CodeTooLarge), fmt.Sprint(rpc.CodeNotJoined)
	for _, r := range []struct {
		method string
		params any
		want   string
	}{
		{rpc.MethodJoin, rpc.JoinParams{Channel: "a\nb"}, invalid},
		{rpc.MethodJoin, rpc.JoinParams{Channel: "room", Limit: ptr(301)}, invalid},
		{rpc.MethodJoin, rpc.JoinParams{Channel: "room", Since: ptr(int64(1))}, invalid},
		{rpc.MethodJoin, rpc.JoinParams{Channel: " room"}, "1002 join  room"}, // a name that only an old channel may have
		{rpc.MethodJoin, rpc.JoinParams{Channel: "room"}, "1002 join room"},
		{rpc.MethodChat, rpc.ChatParams{Channel: "room"}, invalid},
		{rpc.MethodChat, rpc.ChatParams{Channel: "room", Body: strings.Repeat("x", 5000)}, large},
		{rpc.MethodChat, rpc.ChatParams{Channel: "room", Body: "x"}, "1002 join room"},
		{rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"}, unjoined},
		{rpc.MethodHistory, rpc.HistoryParams{Channel: "room", Limit: ptr(0)}, invalid},
		{rpc.MethodHistory, rpc.HistoryParams{Channel: "room"}, "1002 join room"},
		{rpc.MethodHistory, rpc.HistoryParams{Channel: "lobby"}, unjoined},
		{rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"}, unjoined},
		{rpc.MethodLeave, rpc.LeaveParams{Channel: "room"}, "1002 join room"},
		{rpc.MethodLeave, rpc.LeaveParams{Channel: "lobby"}, unjoined},
	} {
		if got := eve.outcome(r.method, r.params); got != r.want {
			t.Errorf("%s %+v: %q, want %q", r.method, r.params, got, r.want)
		}
	}
}

// Without history, a join shows nothing of before, and recovers what is recent.
func TestJoinWithoutHistory(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(authenticated(nil)).addr
	strict := c.connector(authenticated(func(cfg *connector.Config) { cfg.Limits.Grace = 1 })).addr
	ada := granted(t, url, "ada", allowing("*", `"*"`))
	ada.join("room")
	ada.chat("room", "long ago")
	guest := func(url string) *user { return granted(t, url, "guest", allowing("*", `"join"`)) }
	first := guest(url)
	joined := first.join("room")
	first.Cut()
	none := guest(strict).joinWith(rpc.JoinParams{Channel: "room", Since: &joined.Seq, Epoch: joined.Epoch})
	if none.Recovered == nil || !*none.Recovered || len(none.Messages) != 0 {
		t.Errorf("nothing was missed: recovered %v, %s", *none.Recovered, none.Reason)
	}
	ada.chat("room", "one")
	ada.chat("room", "two")
	for _, r := range []struct {
		name, url string
		user      *user
		p         rpc.JoinParams
		bodies    []string
		recovered string // "": not asked for
	}{
		{"a join", url, nil, rpc.JoinParams{}, nil, ""},
		{"what is recent", url, nil, rpc.JoinParams{Since: &joined.Seq, Epoch: joined.Epoch}, []string{"one", "two"}, "recovered"},
		{"what is not", strict, nil, rpc.JoinParams{Since: &joined.Seq, Epoch: joined.Epoch}, nil, rpc.ReasonForbidden},
		{"another epoch", url, nil, rpc.JoinParams{Since: &joined.Seq, Epoch: "other"}, nil, rpc.ReasonEpoch},
		{"with history", strict, granted(t, strict, "bob", allowing("*", `"join", "history"`)), rpc.JoinParams{Since: &joined.Seq, Epoch: joined.Epoch}, []string{"one", "two"}, "recovered"},
	} {
		u := r.user
		if u == nil {
			u = guest(r.url)
		}
		r.p.Channel = "room"
		for range 2 { // a second join is answered alike
			got := u.joinWith(r.p)
			outcome := got.Reason
			if got.Recovered != nil && *got.Recovered {
				outcome = "recovered"
			}
			if !slices.Equal(bodies(got.Messages), r.bodies) || outcome != r.recovered || r.user == nil && got.More {
				t.Errorf("%s: %q, %s, more %v", r.name, bodies(got.Messages), outcome, got.More)
			}
		}
		u.Cut()
	}
}

// What a user may do changes with a fresh token and with the file, from one
// request to the next.
func TestGrantsChangeAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.json")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"grants": [{"channels": ["lobby", "{user}:*"], "allow": ["join"]}]}`)
	file, err := connector.OpenGrants(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(func(cfg *connector.Config) { cfg.Grants = file })).addr
	ada := granted(t, url, "ada", allowing("lobby", `"history"`))
	ada.join("lobby")
	ada.join("ada:notes")
	chat := func(channel, want string) {
		t.Helper()
		if got := ada.outcome(rpc.MethodChat, rpc.ChatParams{Channel: channel, Body: "hi"}); got != want {
			t.Errorf("chat in %s: %q, want %q", channel, got, want)
		}
	}
	chat("lobby", "1002 chat lobby")
	write(`{"grants": [{"channels": ["lobby", "{user}:*"], "allow": ["join", "chat"]}]}`)
	file.Reload()
	chat("lobby", "")
	chat("ada:notes", "")
	chat("bob:notes", "1002 join bob:notes")
	write(`{"grants": `)
	file.Reload()
	chat("lobby", "")
	write(`{"grants": [{"channels": ["lobby"], "allow": ["join"]}]}`)
	file.Reload()
	chat("lobby", "1002 chat lobby")
	ada.call(rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, "ada", allowing("lobby", `"chat"`))}, nil)
	chat("lobby", "")
	ada.call(rpc.MethodHello, rpc.HelloParams{}, nil) // without a token it changes nothing
	chat("lobby", "")
	ada.call(rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, "ada", "")}, nil)
	chat("lobby", "1002 chat lobby")
	if bad := ada.refused(rpc.CodeUnauthenticated, rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, "ada", `[{"channels": ["{users}"], "allow": []}]`)}); !strings.Contains(bad.Message, "parley/grants/0/channels/0") {
		t.Errorf("a malformed grant: %v", bad)
	}
	if code, _ := ada.Ended(soon(t)); code != rpc.CloseBadToken {
		t.Errorf("a malformed grant closes with %d", code)
	}
}

// An operator changes the file of a running server, and sends it SIGHUP.
func TestServerReadsGrantsAgainOnSIGHUP(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	folder := t.TempDir()
	write := func(name, text string) (path string) {
		path = filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, file := write("key", string(grantsKey)), write("grants", `{"grants": []}`)
	addr := freeport.AddressFor(t)
	up := start(t, "up", "--listen", addr, "--data", filepath.Join(folder, "data"), "--auth-secret", key, "--grants", file)
	await.That(t, "it is ready", func() bool { return strings.Contains(up.out.String(), "parley is ready") })
	ada := granted(t, "ws://"+addr+"/ws", "ada", "")
	join := func() string { return ada.outcome(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}) }
	if got := join(); got != "1002 join lobby" {
		t.Errorf("before: %q", got)
	}
	write("grants", `{"grants": [{"channels": ["lobby"], "allow": ["join"]}]}`)
	if err := up.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the grant is in force", func() bool { return join() == "" })
	write("grants", "{\n\"grants\": [,]}")
	if err := up.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await.That(t, "the bad file is logged", func() bool { return strings.Contains(up.out.String(), "line 2: it is not JSON") })
	if got := join(); got != "" {
		t.Errorf("after a bad file: %q", got)
	}
}
