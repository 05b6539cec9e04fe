package tests

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// What a mute, a ban and a freeze stop is answered with what it is, until when and
// why.
func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	url := c.connector(unpaced(nil)).addr
	mod, eve := moderatorOf(t, url, "mod", "lobby"), enterLobby(t, url, "eve", `"*"`)
	refused := func() rpc.ErrorData {
		t.Helper()
		return *eve.refused(rpc.CodeSanctioned, rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"}).Data
	}
	before := time.Now().UnixMilli()
	mod.does("mute", map[string]any{"channel": "lobby", "user": "eve", "for": 3_600_000, "reason": "caps"})
	d := refused()
	if d.Until < before+3_600_000 || d.Until > time.Now().UnixMilli()+3_600_000 {
		t.Errorf("the mute ends at %d", d.Until)
	}
	if d.Until = 0; d != (rpc.ErrorData{Action: "mute", Reason: "caps"}) {
		t.Errorf("a muted user is told %+v", d)
	}
	mod.does("lift", map[string]any{"channel": "lobby", "user": "eve"})
	mod.does("set", map[string]any{"channel": "lobby", "frozen": true})
	if d := refused(); d != (rpc.ErrorData{Action: "frozen"}) {
		t.Errorf("in a frozen channel it is told %+v", d)
	}
}

// The list of sanctions has those that nobody lifted, by user, on every connector as
// soon as they were acknowledged, and wherever the watermark is.
func TestListOfSanctions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	first, second := c.connector(unpaced(nil)).addr, c.connector(unpaced(nil)).addr
	mod, other := moderatorOf(t, first, "mod", "lobby"), moderatorOf(t, second, "other", "lobby")
	var want []rpc.Sanction
	for i := range 12 {
		name := fmt.Sprintf("user/%02d", i)
		var r rpc.ActResult
		for _, action := range []string{"mute", "ban"} {
			mod.call(action, map[string]any{"channel": "lobby", "user": name, "reason": action}, &r)
			if i%3 == 0 && action == "mute" || i%3 == 1 {
				want = append(want, rpc.Sanction{User: name, Action: action, Reason: action, By: rpc.Author{User: "mod"}, Seq: r.Seq})
			} else {
				other.call("lift", map[string]any{"channel": "lobby", "user": name, "action": action}, nil)
			}
		}
	}
	mod.call("mute", map[string]any{"channel": "lobby", "user": "zoe", "for": 1}, nil) // which has ended, and is there
	list := func(u *user, limit int) (all []rpc.Sanction) {
		t.Helper()
		for after := ""; ; after = all[len(all)-1].User {
			var r rpc.SanctionsResult
			u.call(rpc.MethodSanctions, rpc.SanctionsParams{Channel: "lobby", After: after, Limit: &limit}, &r)
			all = append(all, r.Sanctions...)
			if len(r.Sanctions) > 2*limit || r.More && len(r.Sanctions) == 0 {
				t.Fatalf("a page of %d users has %d, more: %v", limit, len(r.Sanctions), r.More)
			}
			if !r.More {
				return all
			}
		}
	}
	for round := range 2 {
		for _, limit := range []int{1, 5, 200} {
			got := list(mod, limit)
			if n := len(got) - 1; n < 0 || got[n].User != "zoe" || got[n].Until == 0 {
				t.Fatalf("zoe is not among %+v", got)
			}
			if got = got[:len(got)-1]; !slices.Equal(got, want) {
				t.Errorf("pages of %d:\n%+v\nwant\n%+v", limit, got, want)
			}
		}
		if round == 0 { // from ClickHouse now, and on the other connector
			c.projected(other.does("set", map[string]any{"channel": "lobby", "topic": "x"}).Seq)
			mod = other
		}
	}
}

// A moderator's act is known by its id, of the same space as those of messages, over
// every connector; what became of the channel since does not matter.
func TestIDsOfModeratorsActs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	first, second := c.connector(unpaced(nil)).addr, c.connector(unpaced(func(cfg *connector.Config) { cfg.Limits.Sanctions = 1 })).addr
	mod, elsewhere := moderatorOf(t, first, "mod", "lobby"), moderatorOf(t, second, "mod", "lobby")
	acts := map[string]map[string]any{
		"mute": {"user": "eve"}, "ban": {"user": "eve", "purge": 0}, "kick": {"user": "eve"}, "lift": {"user": "eve"}, "purge": {"user": "eve"}, "set": {"slow": 1},
	}
	stands := map[string]rpc.ActResult{}
	for _, kind := range []string{"ban", "mute", "kick", "lift", "purge", "set"} {
		var r rpc.ActResult
		acts[kind]["channel"], acts[kind]["id"] = "lobby", kind
		mod.call(kind, acts[kind], &r)
		stands[kind] = r
		var again rpc.ActResult
		if mod.call(kind, acts[kind], &again); again != r {
			t.Errorf("%s again over the same session: %+v, want %+v", kind, again, r)
		}
	}
	mod.does("mute", map[string]any{"channel": "lobby", "user": "zoe"}) // the other connector takes no more
	for _, u := range []*user{mod, elsewhere} {
		await.That(t, "the connector has seen all", func() bool {
			return u.verdict("mute", map[string]any{"channel": "lobby", "user": "ada"}) == "1011" || u == mod
		})
		for id, first := range stands {
			for kind := range acts {
				acts[kind]["id"] = id
				if r := u.does(kind, acts[kind]); r != first {
					t.Errorf("%s with the id of %s: %+v, want %+v", kind, id, r, first)
				}
			}
		}
	}
	if r := mod.chatWith(rpc.ChatParams{Channel: "lobby", Body: "x", ID: "ban", Retry: true}); r != stands["ban"] {
		t.Errorf("a message with the id of the ban is answered with %+v, want %+v", r, stands["ban"])
	}
}

// Bounds and rates of moderators, and the epoch that a purge counts in.
func TestBoundsOfModeration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	few := c.connector(unpaced(func(cfg *connector.Config) { cfg.Limits.Sanctions = 2 })).addr
	mod := moderatorOf(t, few, "mod", "lobby", "room")
	at := func(channel, user string) map[string]any { return map[string]any{"channel": channel, "user": user} }
	mod.does("mute", at("lobby", "a"))
	mod.does("ban", at("lobby", "b"))
	for _, method := range []string{"mute", "ban"} {
		if bad := mod.refused(rpc.CodeFull, method, at("lobby", "c")); bad.Data.Limit != 2 {
			t.Errorf("%s: %+v", method, bad.Data)
		}
	}
	mod.does("mute", at("room", "c"))
	mod.does("kick", at("lobby", "c"))
	mod.does("lift", at("lobby", "a"))
	mod.does("mute", at("lobby", "c"))
	for method, params := range map[string]map[string]any{
		"purge": {"channel": "lobby", "user": "a", "since": 1, "epoch": "another"}, "mute": {"channel": "room", "user": "a", "purge": 1, "epoch": "another"},
	} {
		mod.refused(rpc.CodeGone, method, params)
		params["epoch"] = mod.hello.Epoch
		mod.does(method, params)
	}
	mod.does("lift", at("room", "c"))
	mod.does("mute", map[string]any{"channel": "room", "user": "b", "epoch": "another"}) // which counts nothing

	paced := c.connector(unlimited(func(cfg *connector.Config) { cfg.Limits.Moderation = 1 })).addr
	slow, two := moderatorOf(t, paced, "mod", "lobby"), moderatorOf(t, paced, "mod", "lobby", "room")
	limited := 0
	for i := range 30 { // a burst of 2, of all sessions and channels together
		u, channel := slow, "lobby"
		if i%2 == 0 {
			u, channel = two, "room"
		}
		method, params := "kick", at(channel, "x")
		if i%3 == 0 {
			method, params = "sanctions", map[string]any{"channel": channel}
		}
		if u.verdict(method, params) == "1005" {
			limited++
		}
	}
	if limited == 0 || limited > 28 {
		t.Errorf("of 30 requests at once %d are too many", limited)
	}
	slow.chat("lobby", "which is not one of these")
}

// Slow mode counts the messages of a user from the first one after it was set, over
// all connectors; it is not for moderators, and counts no edits.
func TestSlowMode(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	first, second := c.connector(unpaced(nil)).addr, c.connector(unpaced(nil)).addr
	mod, eve := moderatorOf(t, first, "mod", "lobby"), enterLobby(t, first, "eve", `"*"`)
	elsewhere := enterLobby(t, second, "eve", `"*"`)
	slow := func(seconds int) { mod.does("set", map[string]any{"channel": "lobby", "slow": seconds}) }
	tooSoon := func(u changer, p rpc.ChatParams) {
		t.Helper()
		p.Channel = "lobby"
		if bad := u.refused(rpc.CodeRateLimited, rpc.MethodChat, p); bad.Data.Retry < 3_000_000 || bad.Data.Retry > 3_600_001 {
			t.Errorf("%s may try again after %d ms", u.name, bad.Data.Retry)
		}
	}
	eve.chat("lobby", "before")
	slow(3600)
	said := eve.chatWith(rpc.ChatParams{Channel: "lobby", Body: "first", ID: "first"})
	tooSoon(eve, rpc.ChatParams{Body: "second"})
	tooSoon(eve, rpc.ChatParams{Body: "psst", To: "mod"})
	if r := eve.chatWith(rpc.ChatParams{Channel: "lobby", Body: "first", ID: "first", Retry: true}); r != said {
		t.Errorf("a retry is answered with %+v, want %+v", r, said)
	}
	eve.edit(said.Seq, "edited")
	eve.react(said.Seq, "+1", false)
	mod.chat("lobby", "one")
	mod.chat("lobby", "two")
	await.That(t, "the other connector knows", func() bool { // it may let one through
		return elsewhere.verdict(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "third"}) != ""
	})
	tooSoon(elsewhere, rpc.ChatParams{Body: "fourth"})
	if r := elsewhere.chatWith(rpc.ChatParams{Channel: "lobby", Body: "first", ID: "first", Retry: true}); r != said {
		t.Errorf("a retry elsewhere is answered with %+v, want %+v", r, said)
	}
	late := enterLobby(t, c.connector(unpaced(nil)).addr, "eve", `"*"`) // which has history alone
	tooSoon(late, rpc.ChatParams{Body: "fifth"})
	mod.does("set", map[string]any{"channel": "lobby", "topic": "of something else"})
	late = enterLobby(t, c.connector(unpaced(nil)).addr, "eve", `"*"`) // which has these settings alone
	tooSoon(late, rpc.ChatParams{Body: "sixth"})
	slow(7200)
	if said, refused := eve.burst(20); said != 1 || refused != 19 {
		t.Errorf("of 20 messages in one burst %d are taken, %d refused", said, refused)
	}
	slow(0)
	eve.chat("lobby", "at once")
	eve.chat("lobby", "at once")
}

// A mute that comes while a change waits for its message stops it, and one of the
// moderator who does it binds them as well.
func TestMuteOfOneselfAndMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	url := c.connector(unpaced(nil)).addr
	mod, eve := moderatorOf(t, url, "mod", "lobby"), enterLobby(t, url, "eve", `"*"`)
	wait, err := eve.Start(rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: eve.chat("lobby", "hi").Seq + 1000, Body: "x"})
	if err != nil {
		t.Fatal(err)
	}
	mod.does("mute", map[string]any{"channel": "lobby", "user": "eve"})
	mod.does("mute", map[string]any{"channel": "lobby", "user": "mod"})
	if got := mod.verdict(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"}); got != "1009 mute" {
		t.Errorf("a muted moderator: %q", got)
	}
	var bad *rpc.Error
	if err := wait(soon(t), nil); !errors.As(err, &bad) || bad.Code != rpc.CodeGone && bad.Code != rpc.CodeSanctioned {
		t.Errorf("the change is answered with %v", err)
	}
	mod.does("lift", map[string]any{"channel": "lobby", "user": "mod"})
	mod.chat("lobby", "again")
}

// What a moderator does over one connector binds users on another as soon as that has
// seen it, also those who were not there, and those who come later.
func TestSanctionsReachOtherConnectors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	first, second := c.connector(unpaced(nil)).addr, c.connector(unpaced(nil)).addr
	mod, eve := moderatorOf(t, first, "mod", "lobby"), enterLobby(t, second, "eve", `"*"`)
	chat := rpc.ChatParams{Channel: "lobby", Body: "x"}
	becomes := func(u *user, want string) {
		t.Helper()
		await.That(t, fmt.Sprintf("a message of %s is answered %q", u.name, want), func() bool { return u.verdict(rpc.MethodChat, chat) == want })
	}
	about := func(user string) map[string]any { return map[string]any{"channel": "lobby", "user": user} }
	mod.does("mute", about("eve"))
	mod.does("mute", about("zoe")) // who is nowhere
	becomes(eve.user, "1009 mute")
	for _, url := range []string{first, second} {
		for _, name := range []string{"eve", "zoe"} {
			u := granted(t, url, name, allowing("lobby", `"*"`))
			if r := u.join("lobby"); r.Sanction == nil || r.Sanction.Action != "mute" || r.Sanction.By.User != "mod" {
				t.Errorf("%s joins under %+v", name, r.Sanction)
			}
			if got := u.verdict(rpc.MethodChat, chat); got != "1009 mute" {
				t.Errorf("a message of %s, who came later, is answered %q", name, got)
			}
		}
	}
	mod.does("lift", about("eve"))
	becomes(eve.user, "")
	mod.does("set", map[string]any{"channel": "lobby", "frozen": true})
	becomes(eve.user, "1009 frozen")
	mod.does("set", map[string]any{"channel": "lobby", "frozen": false})
	becomes(eve.user, "")
	mod.does("ban", about("eve"))
	becomes(eve.user, "1003")
	if got := eve.verdict(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}); got != "1009 ban" {
		t.Errorf("a banned user's join is answered %q", got)
	}
	mod.does("lift", about("eve"))
	await.That(t, "the lift has passed", func() bool { return eve.verdict(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}) == "" })
	becomes(eve.user, "")
}

// burst sends messages of the lobby at once, and returns how many were taken, and how
// many came too soon.
func (u changer) burst(n int) (taken, refused int) {
	u.t.Helper()
	var waits []func(context.Context, any) error
	for range n {
		wait, err := u.Start(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"})
		if err != nil {
			u.t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		switch u.read(wait(soon(u.t), nil)) {
		case "":
			taken++
		case "1005":
			refused++
		}
	}
	return taken, refused
}
