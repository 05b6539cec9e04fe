package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// signaled is what a push of a signal says.
func (u *user) signaled() (s rpc.SignalPush) {
	u.t.Helper()
	if err := json.Unmarshal(u.sees(rpc.PushSignal).Params, &s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// passesOn waits until signals are passed on, from u to other: workers read them a
// moment after they serve.
func (u *user) passesOn(channel string, other *user) {
	u.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if p, err := other.Next(soon(u.t)); err != nil || p.Method == rpc.PushSignal && strings.Contains(string(p.Params), `"name":"probe"`) {
				return
			}
		}
	}()
	await.That(u.t, "signals are passed on", func() bool {
		_ = u.Call(soon(u.t), rpc.MethodSignal, rpc.SignalParams{Channel: channel, Name: "probe"}, nil)
		select {
		case <-done:
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
}

// A signal comes to the sessions of the other users of its channel, over all
// connectors, and leaves no trace.
func TestSignals(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	fast := unlimited(func(cfg *connector.Config) { cfg.Limits.Signals = -1 })
	first, second := c.connector(fast).addr, c.connector(fast).addr
	ada, again := enterLobby(t, first, "ada", `"*"`), enterLobby(t, second, "ada", `"*"`)
	bob, cyn := enterLobby(t, first, "bob", `"*"`), enterLobby(t, second, "cyn", `"*"`)
	ada.passesOn("lobby", bob.user)
	ada.passesOn("lobby", cyn.user)
	nothingHappens(t, ada, func() {
		before := time.Now().UnixMilli()
		ada.call(rpc.MethodSignal, map[string]any{"channel": "lobby", "name": "cursor", "data": map[string]any{"x": 1}}, nil)
		for _, u := range []changer{bob, cyn} {
			s := u.signaled()
			for s.Name == "probe" {
				s = u.signaled()
			}
			if s.Time < before || s.Time > time.Now().UnixMilli() {
				t.Errorf("%s gets a signal of %d", u.name, s.Time)
			}
			if s.Time = 0; fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", rpc.SignalPush{Channel: "lobby", User: "ada", Name: "cursor", Data: json.RawMessage(`{"x":1}`)}) {
				t.Errorf("%s gets %+v", u.name, s)
			}
		}
		cyn.call(rpc.MethodSignal, rpc.SignalParams{Channel: "lobby", Name: "typing"}, nil)
		for _, u := range []changer{ada, again, bob} { // and nothing of ada's own comes before it
			if s := u.signaled(); s.User != "cyn" || s.Name != "typing" || s.Data != nil {
				t.Errorf("%s gets %+v", u.name, s)
			}
		}
	})
}

// What a signal is refused for.
func TestSignalsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	url := c.connector(unpaced(func(cfg *connector.Config) { cfg.Limits.Presence, cfg.Limits.Signals = 3, 5 })).addr
	mod, eve := moderatorOf(t, url, "mod", "lobby"), enterLobby(t, url, "eve", `"*"`)
	silent := enterLobby(t, url, "silent", `"join", "chat"`)
	signal := map[string]any{"channel": "lobby", "name": "typing"}
	if got := silent.outcome("signal", signal); got != "1002 signal lobby" {
		t.Errorf("without the grant: %s", got)
	}
	if got := eve.outcome("signal", map[string]any{"channel": "other", "name": "x"}); got != "1002 join other" {
		t.Errorf("elsewhere: %s", got)
	}
	if got := mod.outcome("signal", map[string]any{"channel": "unjoined", "name": "x"}); got != "1003" {
		t.Errorf("where the user is not: %s", got)
	}
	mod.does("mute", map[string]any{"channel": "lobby", "user": "eve"})
	if got := eve.verdict("signal", signal); got != "1009 mute" {
		t.Errorf("muted: %s", got)
	}
	mod.does("lift", map[string]any{"channel": "lobby", "user": "eve"})
	mod.does("set", map[string]any{"channel": "lobby", "frozen": true})
	if got := eve.verdict("signal", signal); got != "1009 frozen" {
		t.Errorf("frozen: %s", got)
	}
	mod.does("set", map[string]any{"channel": "lobby", "frozen": false})
	eve.call("signal", signal, nil)
	limited := 0
	for range 20 {
		if got := eve.outcome("signal", signal); got == "1005" {
			limited++
		} else if got != "" {
			t.Fatalf("one of many: %s", got)
		}
	}
	if limited == 0 || limited == 20 {
		t.Errorf("%d of 20 signals are limited", limited)
	}
	enterLobby(t, url, "fourth", `"*"`)
	fresh := enterLobby(t, url, "eve", `"*"`)
	if bad := fresh.refused(rpc.CodeRateLimited, "signal", signal); bad.Data.Retry == 0 {
		t.Errorf("in a crowd: %+v", bad)
	}
}

// Without their topics there are no signals, chats go on, and signals come back with
// the topics.
func TestSignalsWithoutTheirTopics(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.logger = quietLogger
	c.worker()
	url := c.connector(unlimited(func(cfg *connector.Config) { cfg.Limits.Signals = -1 })).addr
	ada, bob := enterLobby(t, url, "ada", `"*"`), enterLobby(t, url, "bob", `"*"`)
	ada.passesOn("lobby", bob.user)
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	info, err := kafka.TopicInfo(soon(t), schema.TopicEvents)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{schema.TopicSignals, schema.TopicSignalPush} {
		if err := admin.DeleteTopic(soon(t), kafka, topic); err != nil {
			t.Fatal(err)
		}
		signal := rpc.SignalParams{Channel: "lobby", Name: "typing"}
		await.That(t, "signals are refused without "+topic, func() bool { return ada.outcome("signal", signal) == "1007" })
		for i := range 10 {
			ada.chat("lobby", fmt.Sprint(topic, i))
			if m := bob.hears(); m.Body != fmt.Sprint(topic, i) {
				t.Errorf("bob hears %q", m.Body)
			}
		}
		own := admin.Topic{Name: topic, Partitions: info.Partitions, ReplicationFactor: 1}
		if err := admin.EnsureTopics(soon(t), kafka, []admin.Topic{own}); err != nil {
			t.Fatal(err)
		}
		ada.passesOn("lobby", bob.user)
	}
}
