package tests

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema/rpc"
)

// moderatorOf is a moderator of all channels, who is in these.
func moderatorOf(t *testing.T, url, name string, channels ...string) *user {
	t.Helper()
	u := granted(t, url, name, allowing("*", `"moderate"`))
	for _, channel := range channels {
		u.join(channel)
	}
	return u
}

// unpaced is unlimited, for moderators too.
func unpaced(change func(*connector.Config)) func(*connector.Config) {
	return unlimited(func(cfg *connector.Config) {
		cfg.Limits.Moderation = -1
		if change != nil {
			change(cfg)
		}
	})
}

// does has a moderator do something that this connector knows of when it returns.
func (u *user) does(method string, params map[string]any) (r rpc.ActResult) {
	u.t.Helper()
	params["retry"] = true
	u.call(method, params, &r)
	return r
}

// verdict is how a request is answered: "" or the error's code, and what is missing, or
// which sanction it is.
func (u *user) verdict(method string, params any) string {
	u.t.Helper()
	err := u.ask(method, params, nil)
	var bad *rpc.Error
	if errors.As(err, &bad) && bad.Code == rpc.CodeSanctioned {
		return fmt.Sprint(bad.Code, " ", bad.Data.Action)
	}
	return u.read(err)
}

// sanctions by name: what a moderator does to a user in a channel.
var sanctions = []struct {
	name string
	do   func(mod *user, channel, user string)
	// what it stops: mute, ban, kick, frozen; "": nothing any more.
	stops string
}{
	{"nothing", func(*user, string, string) {}, ""},
	{"a mute", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user, "reason": "why"})
	}, "mute"},
	{"a mute for an hour", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user, "for": 3_600_000})
	}, "mute"},
	{"a mute that has ended", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user, "for": 1})
		time.Sleep(5 * time.Millisecond) // of the clock that ends it
	}, ""},
	{"a mute that was lifted", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user})
		mod.does("lift", map[string]any{"channel": channel, "user": user, "action": "mute"})
	}, ""},
	{"a mute whose ban was lifted", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user})
		mod.does("lift", map[string]any{"channel": channel, "user": user, "action": "ban"})
	}, "mute"},
	{"a mute with a purge of what is to come", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": user, "purge": int64(1) << 50})
	}, "mute"},
	{"a freeze", func(mod *user, channel, _ string) {
		mod.does("set", map[string]any{"channel": channel, "frozen": true})
	}, "frozen"},
	{"a freeze and a mute", func(mod *user, channel, user string) {
		mod.does("set", map[string]any{"channel": channel, "frozen": true})
		mod.does("mute", map[string]any{"channel": channel, "user": user})
	}, "mute"},
	{"a freeze that is over", func(mod *user, channel, _ string) {
		mod.does("set", map[string]any{"channel": channel, "frozen": true})
		mod.does("set", map[string]any{"channel": channel, "frozen": false, "topic": "go on"})
	}, ""},
	{"a topic", func(mod *user, channel, _ string) {
		mod.does("set", map[string]any{"channel": channel, "topic": "x"})
	}, ""},
	{"a mute of somebody else", func(mod *user, channel, user string) {
		mod.does("mute", map[string]any{"channel": channel, "user": "not-" + user})
	}, ""},
	{"a kick", func(mod *user, channel, user string) {
		mod.does("kick", map[string]any{"channel": channel, "user": user})
	}, "kick"},
	{"a ban", func(mod *user, channel, user string) {
		mod.does("ban", map[string]any{"channel": channel, "user": user, "reason": "why"})
	}, "ban"},
	{"a ban that was lifted", func(mod *user, channel, user string) {
		mod.does("ban", map[string]any{"channel": channel, "user": user})
		mod.does("lift", map[string]any{"channel": channel, "user": user})
	}, "kick"},
}

// requestsOf are a user's requests in a channel, in an order in which each can be
// made: seqs are those of three messages, of which two are theirs where they could
// write them. writes says that a mute stops it, takes what is to be granted.
func requestsOf(channel string, seqs [3]int64) []struct {
	method, takes string
	writes        bool
	params        map[string]any
} {
	p := func(more ...any) map[string]any {
		all := map[string]any{"channel": channel}
		for i := 0; i < len(more); i += 2 {
			all[more[i].(string)] = more[i+1]
		}
		return all
	}
	return []struct {
		method, takes string
		writes        bool
		params        map[string]any
	}{
		{"chat", "chat", true, p("body", "x")}, {"chat", "private", true, p("body", "x", "to", "mod")},
		{"edit", "edit", true, p("body", "y", "seq", seqs[0])}, {"delete", "edit", false, p("seq", seqs[1])},
		{"react", "react", true, p("name", "+1", "seq", seqs[2])}, {"signal", "signal", true, p("name", "typing")},
		{"pin", "moderate", false, p("seq", seqs[2])}, {"history", "history", false, p()}, {"pins", "history", false, p()},
		{"members", "join", false, p()}, {"reactions", "join", false, p("seq", seqs[2])}, {"sanctions", "moderate", false, p()},
		{"mute", "moderate", false, p("user", "nobody")}, {"ban", "moderate", false, p("user", "nobody")}, {"kick", "moderate", false, p("user", "nobody")},
		{"lift", "moderate", false, p("user", "nobody")}, {"purge", "moderate", false, p("user", "nobody")}, {"set", "moderate", false, p("data", 1)},
		{"join", "join", false, p()}, {"leave", "join", false, p()},
	}
}

// What a user asks for in a channel is refused for want of a grant, or by a sanction of
// that user there, or by a freeze unless they are a moderator: and by nothing else.
func TestWhatSanctionsStop(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(unpaced(nil)).addr
	for _, grant := range []string{`"*"`, `"moderate"`, `"join"`, `"join", "chat", "edit"`, `"join", "history", "private", "react"`} {
		for i, sanction := range sanctions {
			t.Run(sanction.name+" of one with "+strings.ReplaceAll(grant, `"`, ""), func(t *testing.T) {
				t.Parallel()
				here, elsewhere := fmt.Sprintf("lobby %d/%s", i, grant), fmt.Sprintf("lobby %d", i)
				mod := moderatorOf(t, url, "mod", here, elsewhere)
				name := fmt.Sprintf("user/%d %s", i, grant)
				eve := granted(t, url, name, allowing("*", grant))
				said := map[string][3]int64{}
				for _, channel := range []string{here, elsewhere} {
					eve.join(channel)
					said[channel] = [3]int64{eve.says(channel), eve.says(channel), mod.chat(channel, "hi").Seq}
				}
				mod.reaches(here, said[here])
				sanction.do(mod, here, name)
				for _, channel := range []string{here, elsewhere} {
					stops := sanction.stops
					if channel == elsewhere {
						stops = ""
					}
					eve.tries(t, channel, grant, stops, said[channel])
				}
			})
		}
	}
}

// says writes a message where it may, and returns its seq; 1 where it may not.
func (u *user) says(channel string) int64 {
	u.t.Helper()
	var r rpc.ActResult
	if err := u.Call(soon(u.t), rpc.MethodChat, rpc.ChatParams{Channel: channel, Body: "x"}, &r); err != nil {
		return 1
	}
	return r.Seq
}

// reaches waits until the connector has seen messages of a channel.
func (u *user) reaches(channel string, seqs [3]int64) {
	u.t.Helper()
	r := u.does("set", map[string]any{"channel": channel, "topic": "begin"})
	if r.Seq < slices.Max(seqs[:]) {
		u.t.Fatalf("%d is below %v", r.Seq, seqs)
	}
}

// tries makes all requests in a channel, and sees which are refused.
func (u *user) tries(t *testing.T, channel, grant, stops string, seqs [3]int64) {
	t.Helper()
	moderator := strings.Contains(grant, "moderate")
	out := stops == "kick" || stops == "ban"
	for _, r := range requestsOf(channel, seqs) {
		allowed := moderator || grant == `"*"` && r.takes != "moderate" || strings.Contains(grant, `"`+r.takes+`"`)
		want := ""
		switch {
		case !allowed:
			want = "1002 " + r.takes + " " + channel
		case r.method == "join" && stops == "ban":
			want = "1009 ban"
		case r.method == "join":
			out = false
		case out:
			want = "1003"
		case r.writes && stops == "mute", r.writes && stops == "frozen" && !moderator:
			want = "1009 " + stops
		case (r.method == "edit" || r.method == "delete") && seqs[0] == 1:
			want = "1010"
		}
		if got := u.verdict(r.method, r.params); got != want {
			t.Errorf("%s %v: %q, want %q", r.method, r.params, got, want)
		}
	}
}
