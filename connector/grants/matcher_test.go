package grants

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	never = time.Time{} // a time at which no channel token has run out
	noon  = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	every = []Action{Join, History, Chat, Private, Edit, React, Signal, Moderate}
)

// grantsOf parses a claim that is valid.
func grantsOf(t testing.TB, claim string) List {
	t.Helper()
	l, err := ParseClaim([]byte(claim))
	if err != nil {
		t.Fatalf("%s: %v", claim, err)
	}
	return l
}

// TestActions has a row for each sentence about actions: what each allows and
// implies.
func TestActions(t *testing.T) {
	for allow, want := range map[string][]Action{
		``:                      nil,
		`"join"`:                {Join},
		`"history"`:             {History},
		`"chat"`:                {Chat},
		`"private"`:             {Private},
		`"edit"`:                {Edit},
		`"react"`:               {React},
		`"signal"`:              {Signal},
		`"moderate"`:            every,
		`"*"`:                   {Join, History, Chat, Private, Edit, React, Signal},
		`"join","chat"`:         {Join, Chat},
		`"chat","join","chat"`:  {Join, Chat},
		`"*","moderate"`:        every,
		`"api","audit","admin"`: nil, // those of servers
		`"join","dance"`:        {Join},
		`"Join","JOIN"," join"`: nil,
		`"**","all",""`:         nil,
		`"mod*","{user}","\\*"`: nil, // they are not patterns
		`"join,chat"`:           nil,
	} {
		m := Compile("ada", grantsOf(t, `[{"channels":["c"],"allow":[`+allow+`]}]`))
		for _, a := range every {
			if got := m.Allows(a, "c", never); got != slices.Contains(want, a) {
				t.Errorf("%s allows %v: %v", allow, a, got)
			}
		}
	}
}

// What * stands for is written in tokens and files: it does not grow with the
// actions there are.
func TestStarNeverGrows(t *testing.T) {
	if everyday != 0b1111_1110 {
		t.Errorf("* stands for %b", everyday)
	}
	for a := range Action(255) {
		if want := a >= Join && a <= Signal; everyday.Has(a) != want {
			t.Errorf("* stands for action %d (%v): %v", a, a, !want)
		}
		if known := a >= Join && a <= Admin; known != (a.String() != "") {
			t.Errorf("action %d is called %q", a, a)
		}
	}
}

// What backends may do is in their grants alone, and none of it implies another.
func TestActionsOfBackends(t *testing.T) {
	for allow, want := range map[string][]Action{
		`"api"`: {API}, `"moderate"`: {Moderate}, `"audit","admin"`: {Audit, Admin}, `"*"`: nil, `"chat","join"`: nil,
	} {
		list, _, err := ParseBackend([]byte(`[{"channels":["c"],"allow":[` + allow + `]}]`))
		if err != nil {
			t.Fatal(err)
		}
		m, user := Compile("shop", list), Compile("ada", grantsOf(t, `[{"channels":["c"],"allow":[`+allow+`]}]`))
		for a := Join; a <= Admin; a++ {
			if got := m.Allows(a, "c", never); got != slices.Contains(want, a) {
				t.Errorf("a backend's %s allows %v: %v", allow, a, got)
			}
			if a > Moderate && user.Allows(a, "c", never) {
				t.Errorf("a user's %s allows %v", allow, a)
			}
		}
	}
}

func TestUnionOfGrants(t *testing.T) {
	m := Compile("ada",
		grantsOf(t, `[{"channels":["lobby","room-*"],"allow":["join"]},{"channels":["room-*"],"allow":["history"]}]`),
		grantsOf(t, `[{"channels":["lobby"],"allow":["chat"]},{"channels":["*"],"allow":[]}]`),
		grantsOf(t, `[{"channels":["x*yz"],"allow":["join"]},{"channels":["xy*z"],"allow":["chat"]},{"channels":["x*yz"],"allow":["edit"]},{"channels":["x**yz"],"allow":["react"]}]`),
		grantsOf(t, `[{"channels":["{user}:*","room-{user}"],"allow":["*"]},{"channels":[],"allow":["moderate"]}]`),
		List{},
	)
	for _, c := range []struct {
		channel string
		allowed []Action
	}{
		{"lobby", []Action{Join, Chat}},
		{"room-1", []Action{Join, History}},
		{"room-ada", []Action{Join, History, Chat, Private, Edit, React, Signal}},
		{"ada:x", []Action{Join, History, Chat, Private, Edit, React, Signal}},
		{"bob:x", nil},
		{"xyz", []Action{Join, Chat, Edit, React}},
		{"xyyz", []Action{Join, Chat, Edit, React}},
		{"x-yz", []Action{Join, Edit, React}},
		{"xy-z", []Action{Chat}},
	} {
		for _, a := range every {
			if got := m.Allows(a, c.channel, never); got != slices.Contains(c.allowed, a) {
				t.Errorf("%v in %q: %v", a, c.channel, got)
			}
		}
	}
}

// TestMissing has a row for each sentence about what is missing.
func TestMissing(t *testing.T) {
	m := Compile("ada", grantsOf(t, `[
		{"channels":["lobby","hall-*"],"allow":["join","chat"]},
		{"channels":["outbox"],"allow":["chat"]},
		{"channels":["empty","void-*"],"allow":["dance"]}]`))
	for _, c := range []struct {
		matcher *Matcher
		action  Action
		channel string
		missing Action
	}{
		{m, Chat, "lobby", 0},
		{m, History, "lobby", History}, // matched: the action that is missing
		{m, History, "hall-1", History},
		{m, Moderate, "lobby", Moderate},
		{m, Chat, "elsewhere", Join}, // nothing matches the channel
		{m, Moderate, "elsewhere", Join},
		{m, Join, "elsewhere", Join},
		{m, Join, "outbox", Join},
		{m, History, "outbox", History},
		{m, Chat, "empty", Chat}, // a grant that allows nothing matches too
		{m, Chat, "void-1", Chat},
		{nil, Join, "lobby", Join},
		{nil, Chat, "lobby", Join},
		{&Matcher{}, Chat, "lobby", Join},
		{Compile("ada"), Chat, "lobby", Join},
		{Open(), Chat, "lobby", 0},
		{Open(), Signal, "lobby", 0},
		{Open(), Moderate, "lobby", Moderate},
	} {
		missing, ok := c.matcher.Check(c.action, c.channel, never)
		if missing != c.missing || ok != (c.missing == 0) || ok != c.matcher.Allows(c.action, c.channel, never) {
			t.Errorf("%v in %q: %v, %v, want %v", c.action, c.channel, missing, ok, c.missing)
		}
	}
}

// Nobody may do what is not an action, whatever is granted.
func TestNoActionIsNotAllowed(t *testing.T) {
	m := Compile("ada", grantsOf(t, `[{"channels":["*","c"],"allow":["*","moderate"]}]`))
	for a := range Action(255) {
		if a >= Join && a <= Moderate {
			continue
		}
		if m.Allows(a, "c", never) || Open().Allows(a, "c", never) {
			t.Errorf("action %d is allowed", a)
		}
	}
}

func TestChannelToken(t *testing.T) {
	base := Compile("ada", grantsOf(t, `[{"channels":["lobby","*:x"],"allow":["join"]}]`))
	chat, history := Actions(1<<Join|1<<Chat), Actions(1<<Join|1<<History)
	first := base.With(Timed{Channel: "room-*", Allow: chat, Until: noon}, noon.Add(-time.Hour))
	second := first.With(Timed{Channel: "lobby", Allow: 1 << Chat, Until: noon.Add(time.Hour)}, noon.Add(-time.Hour))
	again := second.With(Timed{Channel: "room-*", Allow: history, Until: noon.Add(time.Minute)}, noon.Add(-time.Hour))
	for _, c := range []struct {
		name    string
		matcher *Matcher
		action  Action
		channel string
		at      time.Time
		missing Action
	}{
		{"before any", base, Join, "room-*", noon.Add(-time.Second), Join},
		{"exactly this channel", first, Chat, "room-*", noon.Add(-time.Nanosecond), 0},
		{"its * is not a pattern", first, Chat, "room-1", noon.Add(-time.Second), Join},
		{"only its actions", first, History, "room-*", noon.Add(-time.Second), History},
		{"until exp", first, Chat, "room-*", noon, Join},
		{"long after", first, Chat, "room-*", noon.AddDate(1, 0, 0), Join},
		{"the others stay", first, Join, "lobby", noon.AddDate(1, 0, 0), 0},
		{"it adds", second, Chat, "lobby", noon, 0},
		{"it takes nothing away", second, Join, "lobby", noon, 0},
		{"what it adds to stays", second, Join, "lobby", noon.Add(2 * time.Hour), 0},
		{"what it added goes", second, Chat, "lobby", noon.Add(2 * time.Hour), Chat},
		{"one does not end another", second, Chat, "room-*", noon.Add(-time.Second), 0},
		{"a fresh one extends", again, History, "room-*", noon, 0},
		{"a fresh one replaces", again, Chat, "room-*", noon.Add(-time.Second), Chat},
		{"the one before is as it was", second, Chat, "room-*", noon.Add(-time.Second), 0},
		{"a fresh token of the session keeps it", again.Replace(), History, "room-*", noon, 0},
		{"and replaces the rest", again.Replace(), Join, "a:x", noon, Join},
	} {
		if missing, _ := c.matcher.Check(c.action, c.channel, c.at); missing != c.missing {
			t.Errorf("%s: %v is missing, want %v", c.name, missing, c.missing)
		}
	}
	if len(again.timed) != 2 {
		t.Errorf("a fresh channel token is kept beside the one before: %v", again.timed)
	}
	late := again.With(Timed{Channel: "new", Allow: chat, Until: noon.Add(2 * time.Hour)}, noon.Add(time.Hour))
	if len(late.timed) != 1 {
		t.Errorf("channel tokens that have run out are kept: %v", late.timed)
	}
}

// At the bound, the channel token that runs out next makes room.
func TestChannelTokensAreBounded(t *testing.T) {
	m := Compile("ada")
	for i := range maxTimed + 10 {
		m = m.With(Timed{Channel: fmt.Sprint("c", i), Allow: 1 << Join, Until: noon.Add(time.Duration((i*7)%1000) * time.Second)}, never)
	}
	if len(m.timed) != maxTimed || !slices.IsSortedFunc(m.timed, func(a, b Timed) int { return strings.Compare(a.Channel, b.Channel) }) {
		t.Fatalf("%d are kept", len(m.timed))
	}
	if m.Allows(Join, "c0", never) || !m.Allows(Join, fmt.Sprint("c", maxTimed+9), never) {
		t.Error("it is not the next to run out that made room")
	}
}

// A matcher decides as the naive one does about all grants, whatever is merged,
// indexed or left out early.
func TestMatcherDecidesAsTriedPlainly(t *testing.T) {
	var allows, partly, nothing int
	rapid.Check(t, func(t *rapid.T) {
		type plain struct {
			patterns []string
			allow    Actions
		}
		user := drawText(t, "user", 3)
		var all []plain
		var lists []List
		for range rapid.IntRange(1, 3).Draw(t, "lists") {
			var list []Grant
			for range rapid.IntRange(1, 3).Draw(t, "grants") {
				var p plain
				for range rapid.IntRange(1, 4).Draw(t, "patterns") {
					if pattern := drawPattern(t); valid(pattern) {
						p.patterns = append(p.patterns, pattern)
					}
				}
				allow := rapid.SliceOfN(rapid.SampledFrom([]string{"join", "history", "chat", "*", "moderate", "dance"}), 0, 2).Draw(t, "allow")
				g, err := New(p.patterns, allow)
				if err != nil {
					t.Fatal(err)
				}
				p.allow, _ = actionsOf(allow, actionOf)
				list, all = append(list, g), append(all, p)
			}
			l, err := NewList(list...)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "shared") {
				l = l.Shared()
			}
			lists = append(lists, l)
		}
		seed := "a"
		for _, p := range all {
			if len(p.patterns) > 0 {
				seed = p.patterns[0]
			}
		}
		channel, action := drawChannel(t, seed, user), rapid.SampledFrom(every).Draw(t, "action")
		matched, allowed := false, Actions(0)
		for _, p := range all {
			for _, pattern := range p.patterns {
				if naive(pattern, user, channel) {
					matched, allowed = true, allowed|p.allow
				}
			}
		}
		want := action
		switch {
		case allowed.Has(action):
			want = 0
		case !matched:
			want = Join
		}
		got, ok := Compile(user, lists...).Check(action, channel, never)
		if got != want || ok != (want == 0) {
			t.Fatalf("%v of %q in %q with %v: %v, %v; want %v", action, user, channel, all, got, ok, want)
		}
		switch want {
		case 0:
			allows++
		case action:
			partly++
		default:
			nothing++
		}
	})
	if allows == 0 || partly == 0 || nothing == 0 {
		t.Errorf("what was drawn does not reach every outcome: %d, %d, %d", allows, partly, nothing)
	}
}

func valid(pattern string) bool {
	_, err := ParsePattern(pattern)
	return err == nil
}

// One matcher is asked by many while others are made of it; the race detector
// sees whether it changes.
func TestMatchersAreSharedSafely(t *testing.T) {
	l := grantsOf(t, `[{"channels":["room-*","lobby"],"allow":["join"]}]`)
	m := Compile("ada", l).With(Timed{Channel: "t", Allow: 1 << Chat, Until: noon}, never)
	done := make(chan bool)
	for i := range 8 {
		go func() {
			ok := true
			for n := range 200 {
				derived := m.With(Timed{Channel: fmt.Sprint("c", i, n), Allow: 1 << Join, Until: noon}, noon.Add(-time.Second)).Replace(l, l)
				ok = ok && m.Allows(Join, "room-1", never) && m.Allows(Chat, "t", never) && !m.Allows(Join, fmt.Sprint("c", i, n), never)
				ok = ok && derived.Allows(Join, fmt.Sprint("c", i, n), never) && derived.Allows(Chat, "t", never)
			}
			done <- ok
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("a matcher changed")
		}
	}
}
