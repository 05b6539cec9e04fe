package tests

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema/rpc"
)

// channelToken grants a user actions in a channel.
func channelToken(t *testing.T, name, channel string, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"sub": name, "channel": channel, "allow": []string{"*"}, "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix()}
	maps.Copy(claims, change)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(grantsKey)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A session that loses the right to join a channel that it is in gets no push of
// it from then on, and is told; others see that it left. It comes back once it
// may.
func TestRightToJoinEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grants.json")
	write := func(grants string) {
		if err := os.WriteFile(path, []byte(`{"grants": `+grants+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[]")
	file, err := connector.OpenGrants(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(func(cfg *connector.Config) { cfg.Grants = file })).addr
	lobby := allowing("lobby", `"*"`)
	both := strings.TrimSuffix(lobby, "]") + "," + strings.TrimPrefix(allowing("room", `"*"`), "[")
	bob := granted(t, url, "bob", both)
	hello := func(u *user, grants string) {
		u.call(rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, u.name, grants)}, nil)
	}
	for i, way := range []struct {
		name       string
		token      string // what the user's token grants
		give, take func(ada *user) rpc.JoinParams
	}{
		{"a fresh token", lobby, func(ada *user) rpc.JoinParams {
			hello(ada, both)
			return rpc.JoinParams{}
		}, func(ada *user) rpc.JoinParams {
			hello(ada, lobby)
			return rpc.JoinParams{}
		}},
		{"the file of grants", lobby, func(*user) rpc.JoinParams {
			write(allowing("room", `"*"`))
			file.Reload()
			return rpc.JoinParams{}
		}, func(*user) rpc.JoinParams {
			write("[]")
			file.Reload()
			return rpc.JoinParams{}
		}},
		{"a channel token", lobby, func(ada *user) rpc.JoinParams {
			return rpc.JoinParams{Token: channelToken(t, ada.name, "room", nil)}
		}, func(ada *user) rpc.JoinParams { // one that runs out replaces it
			soon := time.Now().Add(5 * time.Second).Unix()
			return rpc.JoinParams{Token: channelToken(t, ada.name, "room", jwt.MapClaims{"exp": soon})}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			ada := granted(t, url, fmt.Sprintf("ada%d", i), way.token)
			ada.join("lobby")
			for _, u := range []*user{bob} {
				u.join("lobby")
				u.join("room")
			}
			for range 2 {
				p := way.give(ada)
				p.Channel = "room"
				joined := ada.joinWith(p)
				bob.chat("room", "for both")
				if m := ada.hears(); m.Body != "for both" {
					t.Fatalf("%s hears %q", ada.name, m.Body)
				}
				if p := way.take(ada); p.Token != "" {
					p.Channel = "room"
					ada.joinWith(p)
				}
				var removed rpc.RemovedPush
				if err := json.Unmarshal(ada.sees(rpc.PushRemoved).Params, &removed); err != nil || removed.Channel != "room" || removed.Reason != "forbidden" || removed.Seq <= joined.Seq {
					t.Errorf("the push: %+v, %v", removed, err)
				}
				bob.chat("room", "not for ada")
				bob.chat("lobby", "for both")
				if m := ada.hears(); m.Channel != "lobby" {
					t.Errorf("%s hears %q in %s", ada.name, m.Body, m.Channel)
				}
				var left rpc.LeftPush
				for left.User != ada.name {
					if err := json.Unmarshal(bob.sees(rpc.PushLeft).Params, &left); err != nil {
						t.Fatal(err)
					}
				}
				if left.Reason != rpc.LeftForbidden {
					t.Errorf("others see that it left: %+v", left)
				}
				for method, params := range map[string]any{
					rpc.MethodChat: rpc.ChatParams{Channel: "room", Body: "hi"}, rpc.MethodLeave: rpc.LeaveParams{Channel: "room"},
					rpc.MethodHistory: rpc.HistoryParams{Channel: "room"}, rpc.MethodJoin: rpc.JoinParams{Channel: "room"},
				} {
					if got := ada.outcome(method, params); got != "1002 join room" {
						t.Errorf("%s afterwards: %q", method, got)
					}
				}
			}
		})
	}
}

// A channel token is for its user and its channel, until it runs out. One that
// is refused changes nothing.
func TestChannelTokens(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(authenticated(nil)).addr
	ada := granted(t, url, "ada", "")
	good := channelToken(t, "ada", "room", jwt.MapClaims{"allow": []string{"join", "chat", "dance"}})
	joins := func(token string) (outcome string) {
		t.Helper()
		err := ada.Call(soon(t), rpc.MethodJoin, rpc.JoinParams{Channel: "room", Token: token}, nil)
		if bad, is := err.(*rpc.Error); is && bad.Code == rpc.CodeForbidden && bad.Data != nil && bad.Data.Channel == "" {
			if strings.Contains(bad.Message, token) || strings.HasSuffix(bad.Message, ": ") {
				t.Errorf("the message: %q", bad.Message)
			}
			return bad.Data.Reason
		}
		if err != nil {
			return err.Error()
		}
		return ""
	}
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	bad := map[string]string{
		"not a token": "invalid",
		grantsToken(t, "ada", allowing("*", `"*"`)):                                         "invalid", // for hello
		channelToken(t, "bob", "room", nil):                                                 "invalid",
		channelToken(t, "ada", "rooms", nil):                                                "invalid",
		channelToken(t, "ada", "*", nil):                                                    "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"allow": nil}):                         "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"allow": "join"}):                      "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"channel": []string{"room"}}):          "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"exp": nil}):                           "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"nbf": ago(-time.Hour)}):               "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"jti": 7}):                             "invalid",
		channelToken(t, "ada", "room", nil) + "x":                                           "invalid",
		strings.Repeat("x", 9000):                                                           "invalid",
		channelToken(t, "ada", "room", jwt.MapClaims{"exp": ago(0), "iat": ago(time.Hour)}): "expired",
	}
	for round := range 2 { // outside of the channel, and as a member
		for token, want := range bad {
			if got := joins(token); got != want {
				t.Errorf("round %d: %.60s: %q, want %q", round, token, got, want)
			}
		}
		if got := joins(good); got != "" {
			t.Fatalf("a good one: %s", got)
		}
		for method, want := range map[string]string{rpc.MethodChat: "", rpc.MethodHistory: "1002 history room", rpc.MethodMembers: ""} {
			if got := ada.outcome(method, map[string]any{"channel": "room", "body": "hi"}); got != want {
				t.Errorf("%s: %q, want %q", method, got, want)
			}
		}
	}
	if got := ada.outcome(rpc.MethodJoin, rpc.JoinParams{Channel: "rooms"}); got != "1002 join rooms" {
		t.Errorf("another channel: %q", got)
	}
	if got := granted(t, url, "ada", "").outcome(rpc.MethodJoin, rpc.JoinParams{Channel: "room"}); got != "1002 join room" {
		t.Errorf("another session: %q", got)
	}
	if token := channelToken(t, "ada", "room", nil); ada.outcome(rpc.MethodHello, rpc.HelloParams{Token: token}) != fmt.Sprint(rpc.CodeUnauthenticated) {
		t.Error("it is taken for a token of hello")
	}
}
