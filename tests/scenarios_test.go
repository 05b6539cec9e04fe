package tests

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// asked is a request of somebody in a scenario. By who: mod moderates, reader may only
// read, all others may do what users may.
type asked struct {
	who, method string
	params      map[string]any // "#name" is the seq of what was called so
	name        string
	// want is the outcome, "" for a result; api that over the API where it is another one,
	// none for a result.
	want, api string
}

const none = "none"

// scenario is what is done in a channel, and what a bystander finds there in the end.
type scenario struct {
	name  string
	steps []asked
	page  string
	// apiPage is what they find there of what was done over the API, where that is more:
	// what stops users does not stop backends. "": the same.
	apiPage string
}

type with = map[string]any

// scenarios are played over both ways. What a bystander is told is the same.
var scenarios = []scenario{
	{"chat: texts, and what programs add", []asked{
		{who: "ada", method: "chat", params: with{"body": "hi"}, name: "hi"},
		{who: "bob", method: "chat", params: with{"body": "hello", "reply": "#hi", "mentions": []string{"ada"}}},
		{who: "ada", method: "chat", params: with{"body": "vote", "type": "poll", "data": with{"n": 1}}},
		{who: "ada", method: "chat", params: with{"body": "psst", "to": "bob"}},
		{who: "ada", method: "chat", params: with{"body": "look", "to": "zoe"}},
	}, "ada: hi | bob: hello re @ada | ada: vote poll {\"n\":1} | ada→zoe: look", ""},
	{"chat: what no message is", []asked{
		{who: "ada", method: "chat", params: with{"body": ""}, want: "-32602"},
		{who: "ada", method: "chat", params: with{"body": strings.Repeat("x", 4097)}, want: "1006"},
		{who: "ada", method: "chat", params: with{"body": "x", "data": strings.Repeat("x", 5000)}, want: "1006"},
		{who: "ada", method: "chat", params: with{"body": "x", "to": ""}, want: "-32602"},
		{who: "ada", method: "chat", params: with{"body": "x", "type": ""}, want: "-32602"},
		{who: "ada", method: "chat", params: with{"body": "x", "id": strings.Repeat("x", 65)}, want: "-32602"},
		{who: "ada", method: "chat", params: with{"body": "x", "reply": 0}, want: "-32602"},
	}, "", ""},
	{"chat: an id is one message", []asked{
		{who: "ada", method: "chat", params: with{"body": "one", "id": "a"}, name: "one"},
		{who: "ada", method: "chat", params: with{"body": "two", "id": "a", "retry": true}, name: "=one"},
		{who: "bob", method: "chat", params: with{"body": "of bob", "id": "a"}},
	}, "ada: one | bob: of bob", ""},
	{"change: by their authors", []asked{
		{who: "ada", method: "chat", params: with{"body": "helo"}, name: "a"},
		{who: "ada", method: "chat", params: with{"body": "oops"}, name: "b"},
		{who: "ada", method: "edit", params: with{"seq": "#a", "body": "hello", "id": "e"}, name: "e"},
		{who: "ada", method: "edit", params: with{"seq": "#a", "body": "again", "id": "e", "retry": true}, name: "=e"},
		{who: "ada", method: "delete", params: with{"seq": "#b", "reason": "typo"}, name: "d"},
		{who: "ada", method: "edit", params: with{"seq": "#b", "body": "back"}, want: "1010"},
		{who: "bob", method: "react", params: with{"seq": "#a", "name": "+1"}},
		{who: "ada", method: "react", params: with{"seq": "#a", "name": "+1"}},
		{who: "ada", method: "react", params: with{"seq": "#a", "name": "+1", "remove": true}}, // and that has not passed
		{who: "bob", method: "react", params: with{"seq": "#b", "name": "+1"}, want: "1010"},
	}, "ada: hello edited +1×1 | ada: deleted: typo", ""},
	{"change: of others", []asked{
		{who: "ada", method: "chat", params: with{"body": "hi"}, name: "a"},
		{who: "ada", method: "chat", params: with{"body": "psst", "to": "bob"}, name: "private"},
		{who: "bob", method: "edit", params: with{"seq": "#a", "body": "ha"}, want: "1002 moderate"},
		{who: "bob", method: "delete", params: with{"seq": "#a"}, want: "1002 moderate"},
		{who: "eve", method: "react", params: with{"seq": "#private", "name": "+1"}, want: "1010"},
		{who: "mod", method: "edit", params: with{"seq": "#a", "body": "nice"}},
		{who: "mod", method: "delete", params: with{"seq": "#a", "reason": "spam"}},
	}, "ada: deleted: spam", ""},
	{"moderation: a mute and a ban", []asked{
		{who: "eve", method: "chat", params: with{"body": "spam"}, name: "a"},
		{who: "mod", method: "mute", params: with{"user": "eve", "reason": "why", "purge": 0}},
		{who: "eve", method: "chat", params: with{"body": "still"}, want: "1009 mute", api: none},
		{who: "eve", method: "edit", params: with{"seq": "#a", "body": "still"}, want: "1009 mute", api: "1010"},
		{who: "mod", method: "lift", params: with{"user": "eve"}},
		{who: "eve", method: "chat", params: with{"body": "sorry"}},
		{who: "mod", method: "ban", params: with{"user": "eve"}},
		{who: "eve", method: "chat", params: with{"body": "never"}, want: "1003", api: none},
		{who: "mod", method: "purge", params: with{"user": "eve"}},
		{who: "eve", method: "mute", params: with{"user": "mod"}, want: "1002 moderate"},
	}, "eve: deleted: why | eve: deleted: ", "eve: deleted: why | eve: deleted:  | eve: deleted:  | eve: deleted: "},
	{"moderation: a channel", []asked{
		{who: "ada", method: "chat", params: with{"body": "rules"}, name: "a"},
		{who: "mod", method: "pin", params: with{"seq": "#a"}},
		{who: "mod", method: "set", params: with{"topic": "calm", "frozen": true, "data": with{"x": 1}}},
		{who: "ada", method: "chat", params: with{"body": "hm"}, want: "1009 frozen", api: none},
		{who: "mod", method: "set", params: with{"frozen": false, "slow": 3600}},
		{who: "bob", method: "chat", params: with{"body": "one"}},
		{who: "bob", method: "chat", params: with{"body": "two"}, want: "1005", api: none},
		{who: "mod", method: "pin", params: with{"seq": "#a", "remove": true}},
		{who: "mod", method: "pin", params: with{"seq": 1 << 50}, want: "1010"},
		{who: "mod", method: "set", params: with{}, want: "-32602"},
		{who: "ada", method: "set", params: with{"topic": "mine"}, want: "1002 moderate"},
		{who: "mod", method: "kick", params: with{"user": "bob"}},
	}, "ada: rules | bob: one", "ada: rules | ada: hm | bob: one | bob: two"},
	{"access: of one who may only read", []asked{
		{who: "ada", method: "chat", params: with{"body": "hi"}, name: "a"},
		{who: "reader", method: "chat", params: with{"body": "x"}, want: "1002 chat", api: "1002 api"},
		{who: "reader", method: "chat", params: with{"body": "x", "to": "ada"}, want: "1002 private", api: "1002 api"},
		{who: "reader", method: "edit", params: with{"seq": "#a", "body": "x"}, want: "1002 edit", api: "1002 api"},
		{who: "reader", method: "delete", params: with{"seq": "#a"}, want: "1002 edit", api: "1002 api"},
		{who: "reader", method: "react", params: with{"seq": "#a", "name": "+1"}, want: "1002 react", api: "1002 api"},
		{who: "reader", method: "pin", params: with{"seq": "#a"}, want: "1002 moderate"},
		{who: "reader", method: "ban", params: with{"user": "ada"}, want: "1002 moderate"},
		{who: "reader", method: "sanctions", params: with{}, want: "1002 moderate"},
		{who: "reader", method: "history", params: with{}},
		{who: "reader", method: "reactions", params: with{"seq": "#a"}},
		{who: "reader", method: "members", params: with{}, api: "1002 api"},
		{who: "ada", method: "members", params: with{}},
		{who: "ada", method: "history", params: with{}},
		{who: "mod", method: "sanctions", params: with{}},
	}, "ada: hi", ""},
}

// way is how the requests of a scenario are made.
type way interface {
	// ask makes a request of somebody.
	ask(who, method string, params map[string]any) (rpc.ActResult, error)
}

// sessions are users who are in the channel.
type sessions map[string]*user

func (s sessions) ask(who, method string, params map[string]any) (r rpc.ActResult, err error) {
	return r, s[who].Call(soon(s[who].t), method, params, &r)
}

// keys are backends: who does it, in the name of a key or on behalf of a user.
type keys map[string]*backend

func (k keys) ask(who, method string, params map[string]any) (r rpc.ActResult, err error) {
	b := cmp.Or(k[who], k["users"])
	switch method {
	case rpc.MethodChat:
		method, params["user"] = rpc.MethodPublish, who
	case rpc.MethodEdit, rpc.MethodDelete, rpc.MethodReact:
		params["user"] = who
	case rpc.MethodHistory, rpc.MethodReactions:
		if who != "reader" { // who audits
			params["as"] = who
		}
	}
	answer := b.ask(method, params)
	if answer.Error != nil {
		return r, answer.Error
	}
	return r, json.Unmarshal(answer.Result, &r)
}

// What is asked of the API has the outcome that it has over a WebSocket, and others see
// the same of it, but for what says that a backend did it.
func TestScenarios(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	role, backends := c.backends(map[string]string{
		"users": `[{"channels": ["*"], "allow": ["api"]}]`, "reader": `[{"channels": ["*"], "allow": ["audit"]}]`,
		"mod": `[{"channels": ["*"], "allow": ["api", "moderate"]}]`,
	}, unpaced(nil))
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			var told []string
			for _, over := range []string{"WebSocket", "API"} {
				channel := over + "/" + s.name
				zoe := granted(t, role.addr, "zoe", allowing("*", `"*"`))
				zoe.join(channel)
				all := way(keys(backends))
				if over == "WebSocket" {
					all = everybody(t, role.addr, channel)
				}
				s.play(t, over, channel, all)
				var end rpc.PublishResult
				backends["users"].call(rpc.MethodPublish, rpc.PublishParams{ChatParams: rpc.ChatParams{Channel: channel, Body: "end"}, User: "nobody"}, &end)
				told = append(told, strings.Join(zoe.told(channel), "\n"))
				want := s.page
				if over == "API" && s.apiPage != "" {
					want = s.apiPage
				}
				var page rpc.HistoryResult
				backends["users"].call(rpc.MethodHistory, rpc.BackendHistoryParams{HistoryParams: rpc.HistoryParams{Channel: channel}, As: "zoe", Min: end.Seq}, &page)
				clients := zoe.history(rpc.HistoryParams{Channel: channel})
				for by, r := range map[string]*rpc.HistoryResult{"a backend": &page, "zoe": &clients} {
					if got := pageOf(t, over, r); got != want {
						t.Errorf("done over the %s, %s reads %s, want %s", over, by, got, want)
					}
				}
			}
			if len(told) == 2 && told[0] != told[1] && s.apiPage == "" {
				t.Errorf("over the WebSocket zoe is told\n%s\nover the API\n%s", told[0], told[1])
			}
		})
	}
}

func everybody(t *testing.T, url, channel string) sessions {
	all := sessions{}
	for who, grant := range map[string]string{"ada": `"*"`, "bob": `"*"`, "eve": `"*"`, "mod": `"moderate"`, "reader": `"join", "history"`} {
		all[who] = granted(t, url, who, allowing("*", grant))
		all[who].join(channel)
	}
	return all
}

// play plays the steps, and sees their outcomes.
func (s *scenario) play(t *testing.T, over, channel string, all way) {
	t.Helper()
	seqs := map[string]int64{}
	for i, st := range s.steps {
		params := map[string]any{"channel": channel}
		for name, v := range st.params {
			if text, is := v.(string); is && strings.HasPrefix(text, "#") {
				v = seqs[text[1:]]
			}
			params[name] = v
		}
		if st.name != "" || st.who == "mod" {
			params["retry"] = true // the connector knows of it then
		}
		r, err := all.ask(st.who, st.method, params)
		want := st.want
		if over == "API" && st.api != "" {
			want = strings.TrimPrefix(st.api, none)
		}
		if got := outcomeOf(t, err, channel); got != want {
			t.Errorf("over the %s, step %d, %s of %s: %q, want %q", over, i, st.method, st.who, got, want)
		}
		if first, again := strings.CutPrefix(st.name, "="); again && r.Seq != seqs[first] {
			t.Errorf("over the %s, step %d is at %d, and the first try at %d", over, i, r.Seq, seqs[first])
		}
		seqs[st.name] = r.Seq
	}
}

// outcomeOf is how a request is answered: "" or the error's code, and what is missing, or
// which sanction it is.
func outcomeOf(t *testing.T, err error, channel string) string {
	t.Helper()
	var bad *rpc.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &bad):
		t.Fatal(err)
	case bad.Code == rpc.CodeForbidden || bad.Code == rpc.CodeSanctioned:
		if bad.Data == nil || bad.Data.Channel != channel && bad.Code == rpc.CodeForbidden {
			t.Errorf("%v does not say which channel", bad)
			return ""
		}
		return fmt.Sprint(bad.Code, " ", bad.Data.Action)
	}
	return fmt.Sprint(bad.Code)
}

// told is what a user hears of a channel until the message with the text end.
func (u *user) told(channel string) (all []string) {
	u.t.Helper()
	for {
		p, err := u.Next(soon(u.t))
		switch {
		case err != nil:
			u.t.Fatalf("%s is told %q, and waits for the end: %v", u.name, all, err)
		case p.Channel() != channel:
			continue
		case p.Method == rpc.PushChat && p.Chat().Body == "end":
			return all
		}
		if text := textOf(u.t, p); text != "" {
			all = append(all, text)
		}
	}
}

// textOf is what a push of a channel's chains says; "": it is another one.
func textOf(t *testing.T, p client.Push) string {
	t.Helper()
	var settings rpc.SettingsPush
	var change rpc.ChangedPush
	if err := errors.Join(json.Unmarshal(p.Params, &settings), json.Unmarshal(p.Params, &change)); err != nil {
		t.Fatal(err)
	}
	switch p.Method {
	case rpc.PushChat:
		m := p.Chat().Message
		return textOfMessage(&m)
	case rpc.PushChanged:
		if change.Purge != nil {
			return "purge of " + change.Purge.User + ": " + change.Purge.Reason
		}
		what, err := json.Marshal([]any{change.Edit, change.Delete})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("change of %s: %s", change.User, what)
	case rpc.PushSettings:
		return fmt.Sprintf("topic %q, slow %d, frozen %t, data %s, %d pins", settings.Topic, settings.Slow, settings.Frozen, settings.Data, len(settings.Pins))
	}
	return ""
}

func textOfMessage(m *rpc.Message) string {
	text := m.User
	if m.To != "" {
		text += "→" + m.To
	}
	text += ": "
	if m.Deleted != nil {
		return text + "deleted: " + m.Deleted.Reason
	}
	var parts []string
	for _, part := range []string{m.Body, m.Type, string(m.Data)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if m.Reply > 0 {
		parts = append(parts, "re")
	}
	for _, name := range m.Mentions {
		parts = append(parts, "@"+name)
	}
	if m.Edited != nil {
		parts = append(parts, "edited")
	}
	for _, r := range m.Reactions {
		parts = append(parts, fmt.Sprintf("%s×%d", r.Name, r.Count))
	}
	return text + strings.Join(parts, " ")
}

// page is what a page of the channel says, of which one before the end is read, and whose
// messages are of backends alone, or of clients.
func pageOf(t *testing.T, over string, r *rpc.HistoryResult) string {
	t.Helper()
	var all []string
	for i := range r.Messages {
		m := &r.Messages[i]
		if m.Body == "end" {
			continue
		}
		all = append(all, textOfMessage(m))
		if byBackend := m.Origin == rpc.OriginBackend && m.Key != ""; byBackend != (over == "API") || m.Origin == "" && m.Key != "" {
			t.Errorf("over the %s %q is of %q, with the key %q", over, m.Body, m.Origin, m.Key)
		}
		if d := m.Deleted; d != nil && (d.By.Key != "") != (over == "API") {
			t.Errorf("over the %s %q is deleted by %+v", over, m.Body, d.By)
		}
	}
	return strings.Join(all, " | ")
}
