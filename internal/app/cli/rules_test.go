package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// rule is one that `parley rules --json` prints.
type rule struct {
	Kind, User, JTI, Reason string
	ByKey                   string `json:"by_key"`
	Before, Until, Time     int64
	Grants                  []struct{ Channels, Allow []string }
}

// ruleAbout is the rule of a kind about a user or a token; false without one.
func ruleAbout(t *testing.T, addr, kind, name string) (rule, bool) {
	t.Helper()
	var l struct{ Rules []rule }
	if err := json.Unmarshal([]byte(says(t, addr, "rules --json")), &l); err != nil {
		t.Fatal(err)
	}
	for _, r := range l.Rules {
		if r.Kind == kind && r.User+r.JTI == name {
			return r, true
		}
	}
	return rule{}, false
}

// says is what a command says that succeeds.
func says(t *testing.T, addr, args string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := cli.Run(append(strings.Fields(args), "--kafka", addr), &out, &errs); code != 0 {
		t.Fatalf("parley %s: exit code %d: %s", args, code, errs.String())
	}
	return out.String()
}

// What an operator does about a user at night, and what each command says.
func TestRulesAboutUsers(t *testing.T) {
	addr := embeddedtest.Kafka(t)
	var out, errs bytes.Buffer
	if code := cli.Run([]string{"bar", "bob", "--kafka", addr}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "there is no topic parley.rules, which connectors read: start a connector") {
		t.Errorf("without a topic: exit code %d: %s", code, errs.String())
	}
	says(t, addr, "topics create --replication 1")
	file := filepath.Join(t.TempDir(), "grants.json")
	if err := os.WriteFile(file, []byte(`{"grants": [{"channels": ["a,b", "{user}:*"], "allow": ["*"]}, {"channels": ["hall"], "allow": ["join", "moderate"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, c := range []struct{ args, says string }{
		{"rules", "There are no rules."},
		{"revoke ada --reason stolen", `Tokens of "ada" that were issued before 20`},
		{"revoke ada --before 2020-01-01T00:00:00Z", `Nothing was changed: tokens of "ada"`},
		{"revoke --token id-1", "which is remembered for ever, because no connector"},
		{"revoke --token id-2 --until 2099-01-01T00:00:00Z", "which is remembered until 2099-01-01T00:00:00Z"},
		{"bar bob --reason spam", `"bob" is barred until the bar is lifted with --lift: their sessions end`},
		{"bar eve --until 2099-01-01T00:00:00Z", `"eve" is barred until 2099-01-01T00:00:00Z`},
		{"bar max --for 1h", `"max" is barred until 20`},
		{"bar max --lift", `The bar is lifted: "max" may come back.`},
		{"bar max --lift", `Nothing was changed: "max" is not barred.`},
		{"grant ada --channels a,b --channels c --allow join,chat", `"ada" may join, chat in a,b c from now on`},
		{"grant ada --file " + file, `"ada" has these 2 grants from now on`},
		{"grant bob --channels c --allow join", `"bob" may join in c`},
		{"grant bob --none", `What was granted to "bob" is taken away`},
	} {
		if got := says(t, addr, c.args); !strings.Contains(got, c.says) || strings.Count(got, "\n") != 1 {
			t.Errorf("parley %s says %q, want %q", c.args, got, c.says)
		}
	}
	if r, _ := ruleAbout(t, addr, "revoked", "ada"); r.Before < now.UnixMilli() || r.ByKey != "cli" || r.Reason != "stolen" || r.Time < now.UnixMilli() {
		t.Errorf("the revocation is %+v", r)
	}
	if r, _ := ruleAbout(t, addr, "barred", "eve"); r.Until != time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("the bar is %+v", r)
	}
	if r, _ := ruleAbout(t, addr, "grant", "ada"); len(r.Grants) != 2 || r.Grants[0].Channels[0] != "a,b" || r.Grants[1].Allow[1] != "moderate" {
		t.Errorf("the grants are %+v", r)
	}
	for _, over := range []string{"barred max", "grant bob"} {
		kind, user, _ := strings.Cut(over, " ")
		if r, there := ruleAbout(t, addr, kind, user); there {
			t.Errorf("it is over: %+v", r)
		}
	}
	table := says(t, addr, "rules bob")
	if !strings.Contains(table, "for ever") || !strings.Contains(table, "spam") || strings.Contains(table, "ada") {
		t.Errorf("parley rules bob says %s", table)
	}
}

func TestRulesThatCannot(t *testing.T) {
	folder := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(folder, strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, text)+".json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	long := strings.Repeat("x", 200)
	for _, c := range []struct{ args, want string }{
		{"revoke", "name a user, or a token with --token"},
		{"revoke ada --token x", "name a user, or a token with --token"},
		{"revoke " + long, "it takes a name: must be 1 to 128 bytes"},
		{"revoke ada --before yesterday", `it takes a time such as 2026-01-31T18:00:00Z, or seconds since 1970, not "yesterday"`},
		{"revoke ada --before 2026-13-01T00:00:00Z", "it takes a time such as"},
		{"revoke ada --before 0", "it takes a time such as"},
		{"revoke ada --before 1785000000000", "it takes a time such as"}, // milliseconds
		{"revoke ada --before 2999-01-01T00:00:00Z", "--before is in the future"},
		{"revoke ada --until 2999-01-01T00:00:00Z", "--until is for --token"},
		{"revoke --token x --before 1", "--before is for the tokens of a user"},
		{"revoke --token x --until 1", "--until has passed"},
		{"revoke --token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "it takes the jti that is in a token, and this is a whole token"},
		{"revoke --token " + strings.Repeat(long, 50), "1 to 8192 bytes"},
		{"revoke ada --reason " + strings.Repeat(long, 3), "it takes text of up to 512 bytes"},
		{"revoke ada --reason a\x1bb", "it takes text of up to 512 bytes without control characters"},
		{"revoke ada bob", "unexpected argument bob"},
		{"bar", "<user>"},
		{"bar bob --until soon", "it takes a time such as"},
		{"bar bob --until 1", "--until has passed: --lift lifts a bar"},
		{"bar bob --for 0s", "--for takes a time above 0"},
		{"bar bob --for=-1h", "--for takes a time above 0"},
		{"bar bob --for ever", "it takes a time such as 500ms, 30s or 24h"},
		{"bar bob --for 1h --until 2999-01-01T00:00:00Z", "can't be used together"},
		{"bar bob --lift --for 1h", "can't be used together"},
		{"grant", "say what to grant"},
		{"grant ada", "say what to grant"},
		{"grant ada --channels a", "--channels and --allow go together"},
		{"grant ada --allow join", "--channels and --allow go together"},
		{"grant ada --channels a --allow join --none", "say what to grant"},
		{"grant ada --none --file x", "say what to grant"},
		{"grant ada --channels a --allow jion", `"jion" is not an action`},
		{"grant ada --channels a --channels {x} --allow join", "pattern 2 has a { that does not begin {user}"},
		{"grant ada --channels {user}* --allow join", "pattern 1 has {user} next to *"},
		{"grant ada" + strings.Repeat(" --channels a", 17) + " --allow join", "there are 17 patterns, and a grant has at most 16"},
		{"grant ada --file /nowhere", "the file of grants /nowhere cannot be read: no such file"},
		{"grant ada --file " + folder, "cannot be read: is a directory"},
		{"grant ada --file " + file("<html>"), "cannot be used: line 1: it is not JSON"},
		{"grant ada --file " + file(`{"grants": [{"channels": ["a"], "allow": ["jion"]}]}`), `"jion" is not an action`},
		{"grant ada --file " + file(`{"grants": [{"channels": "a", "allow": []}]}`), "cannot be used: line 1"},
		{"grant ada --file " + file(`{"grant": []}`), "cannot be used: line 1"},
		{"rules --user ada", "unknown flag --user"},
		{"rules ada\x01", "it takes a name"},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(strings.Fields(c.args), &out, &errs)
		if code != 2 || !strings.Contains(errs.String(), c.want) || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("parley %s: exit code %d, says %q, want %q", c.args, code, errs.String(), c.want)
		}
	}
	for _, args := range []string{"revoke ada", "bar ada", "grant ada --none", "rules"} {
		var out, errs bytes.Buffer
		code := cli.Run(append(strings.Fields(args), "--wait", "200ms", "--kafka", "127.0.0.1:1"), &out, &errs)
		if code != 1 || !strings.Contains(errs.String(), "does not answer within 200ms") {
			t.Errorf("parley %s: exit code %d, says %q", args, code, errs.String())
		}
	}
}
