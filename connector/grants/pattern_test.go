package grants

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// TestPatterns has a row for each sentence about patterns.
func TestPatterns(t *testing.T) {
	longest := strings.Repeat("x", 128)
	for _, c := range []struct {
		pattern, user, channel string
		match                  bool
	}{
		// The whole name, byte for byte.
		{"lobby", "ada", "lobby", true},
		{"lobby", "ada", "lobby2", false},
		{"lobby", "ada", "a lobby", false},
		{"lobby", "ada", "lobb", false},
		{"lobby", "ada", "Lobby", false},
		{"caf\u00e9", "ada", "caf\u00e9", true},
		{"caf\u00e9", "ada", "cafe\u0301", false}, // looks the same
		{"a.c?[b-d]+$|(", "ada", "a.c?[b-d]+$|(", true},
		{"a.c", "ada", "abc", false},
		{"a?c", "ada", "abc", false},
		{longest, "ada", longest, true},
		// * is any run of characters, also none.
		{"*", "ada", "lobby", true},
		{"*", "ada", longest, true},
		{"room-*", "ada", "room-1", true},
		{"room-*", "ada", "room-", true},
		{"room-*", "ada", "room", false},
		{"room-*", "ada", "my room-1", false},
		{"*-room", "ada", "my-room", true},
		{"*-room", "ada", "-room", true},
		{"*-room", "ada", "my-room-1", false},
		{"a*b", "ada", "ab", true},
		{"a*b", "ada", "a/:大厅.b", true},
		{"a*b", "ada", "a", false},
		{"aba*aba", "ada", "abaaba", true},
		{"aba*aba", "ada", "ababa", false}, // what is before and after does not overlap
		{"*大*", "ada", "in 大厅 now", true},
		{"*大*", "ada", "in 厅 now", false},
		{"**", "ada", "lobby", true},
		{"a**b", "ada", "ab", true},
		// At most 4 of them.
		{"*a*b*c*", "ada", "1a2b3c4", true},
		{"*a*b*c*", "ada", "abc", true},
		{"*a*b*c*", "ada", "acb", false},
		{"a*ab*b", "ada", "aababb", true},
		{"*ab*ab", "ada", "ab", false},
		{"*ab*ab", "ada", "abab", true},
		{"*aab*", "ada", "aaab", true},
		{"*ab*ab*", "ada", "ab and c", false}, // nothing counts twice
		{"*ab*ab*", "ada", "abab", true},
		{"*ab*ba*", "ada", "aba", false},
		{"*a*b*", "ada", "aba", true}, // not the last a
		{"*a**b*", "ada", "cacbc", true},
		{"****", "ada", "x", true},
		// {user} is the user's name, literally.
		{"{user}", "ada", "ada", true},
		{"{user}", "ada", "bob", false},
		{"{user}", "ada", "Ada", false},
		{"{user}", "ada", "{user}", false},
		{"inbox:{user}", "ada", "inbox:ada", true},
		{"inbox:{user}", "ada", "inbox:ada2", false},
		{"inbox:{user}", "*", "inbox:bob", false},
		{"inbox:{user}", "*", "inbox:*", true},
		{"inbox:{user}", "{user}", "inbox:{user}", true},
		{"inbox:{user}", `\*`, `inbox:\*`, true},
		{"{user}:*", "ada", "ada:notes", true},
		{"{user}:*", "ada", "ada:", true},
		{"{user}:*", "ada", "ada", false},
		{"*:{user}:*", "ada", "a:ada:b", true},
		{"{user}:{user}", "ada", "ada:ada", true},
		{"{user}:{user}", "ada", "ada:bob", false},
		{"dm:{user}:*", "大厅", "dm:大厅:ada", true},
		// A user whose name contains the character before or after it matches nothing by it.
		{"{user}:*", "a:b", "a:b:notes", false},
		{"{user}:*", "a", "a:b:notes", true}, // which is why: channels of a:b would be a's
		{"inbox:{user}", "a:b", "inbox:a:b", false},
		{"inbox:{user}", ":", "inbox::", false},
		{"x{user}y", "axe", "xaxey", false},
		{"x{user}y", "aye", "xayey", false},
		{"x{user}y", "ade", "xadey", true},
		{"x:{user}", "x", "x:x", true}, // only the one that is next to it
		{"{user}-a:{user}", "a", "a-a:a", true},
		{"{user}-a:{user}", "a:", "a:-a:a:", false}, // at either of them
		// Of it and of the user, a character is a code point.
		{"é{user}", "caf\u00e8", "écaf\u00e8", true}, // which shares a byte with it
		{"é{user}", "café", "écafé", false},
		{"😀{user}", "😁", "😀😁", true},
		{"e\u0301{user}", "e", "e\u0301e", true}, // the accent is a code point of its own
		{"e\u0301{user}", "o\u0301", "e\u0301o\u0301", false},
		{"{user}\ufffd", "a", "a\ufffd", true},
		{"{user}\ufffd", "\ufffd", "\ufffd\ufffd", false},
		// \*, \{ and \\ are the characters.
		{`\*`, "ada", "*", true},
		{`\*`, "ada", "lobby", false},
		{`a\*b*`, "ada", "a*bc", true},
		{`\{user}`, "ada", "{user}", true},
		{`\{user}`, "ada", "ada", false},
		{`\{`, "ada", "{", true},
		{`{user}\{user}`, "ada", "ada{user}", true},
		{`{user}\{user}`, "a{", "a{{user}", false},
		{`{user}\*`, "ada", "ada*", true},
		{`{user}\*`, "ada", "adam", false},
		{`{user}\*`, "a*a", "a*a*", false},
		{`\*{user}`, "ada", "*ada", true},
		{`\\`, "ada", `\`, true},
		{`\\*`, "ada", `\lobby`, true},
		{`\\{user}`, "ada", `\ada`, true},
		{`\\{user}`, `a\a`, `\a\a`, false},
		{`\\\*`, "ada", `\*`, true},
		{"}", "ada", "}", true},
		{"user}", "ada", "user}", true},
		// What is longer than a name is not one.
		{longest + "*x", "ada", longest, false},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := stands(p, c.user, c.channel); got != c.match {
			t.Errorf("%q for %q matches %q: %v, want %v", c.pattern, c.user, c.channel, got, c.match)
		}
		if got := naive(c.pattern, c.user, c.channel); got != c.match {
			t.Errorf("the naive matcher: %q for %q matches %q: %v, want %v", c.pattern, c.user, c.channel, got, c.match)
		}
	}
}

func TestRefusedPatterns(t *testing.T) {
	for pattern, want := range map[string]error{
		"": errEmpty, "a\xffb": errUnicode, "\xc3": errUnicode,
		"*****": errStars, "a*b*c*d*e*f": errStars,
		"{": errBrace, "{}": errBrace, "{user": errBrace, "{User}": errBrace, "{ user }": errBrace, "{users}": errBrace, "a{channel}": errBrace, "{{user}}": errBrace,
		`\`: errEscape, `a\`: errEscape, `\a`: errEscape, `\}`: errEscape, `\n`: errEscape, `\?`: errEscape, `*\ `: errEscape, `\\\`: errEscape, `\大`: errEscape,
		"*{user}": errBeside, "{user}*": errBeside, "a{user}*b": errBeside, "{user}{user}": errBeside, "a*{user}:b": errBeside, `\\*{user}`: errBeside,
	} {
		if _, err := ParsePattern(pattern); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", pattern, err, want)
		}
	}
	for _, pattern := range []string{"****", `\*\*\*\*\*`, `*\**`, "a*:{user}:*b"} {
		if _, err := ParsePattern(pattern); err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

// stands reports whether a pattern alone stands for a channel.
func stands(p Pattern, user, channel string) bool {
	g := Grant{[]Pattern{p}, 1 << Join}
	return Compile(user, List{grants: []Grant{g}}).Allows(Join, channel, never)
}

// naive is the same of a valid pattern, tried in the plainest way: character by
// character, with every length for every *.
func naive(pattern, user, channel string) bool {
	type token struct {
		char rune
		kind byte // 'c', '*', 'u'
	}
	var tokens []token
	for runes := []rune(pattern); len(runes) > 0; {
		switch {
		case runes[0] == '\\':
			tokens, runes = append(tokens, token{runes[1], 'c'}), runes[2:]
		case runes[0] == '*':
			tokens, runes = append(tokens, token{0, '*'}), runes[1:]
		case runes[0] == '{':
			tokens, runes = append(tokens, token{0, 'u'}), runes[len("{user}"):]
		default:
			tokens, runes = append(tokens, token{runes[0], 'c'}), runes[1:]
		}
	}
	name := []rune(user)
	for i, tok := range tokens {
		if tok.kind != 'u' {
			continue
		}
		if i > 0 && slices.Contains(name, tokens[i-1].char) || i+1 < len(tokens) && slices.Contains(name, tokens[i+1].char) {
			return false
		}
	}
	var match func([]token, []rune) bool
	match = func(tokens []token, channel []rune) bool {
		switch {
		case len(tokens) == 0:
			return len(channel) == 0
		case tokens[0].kind == '*':
			for n := 0; n <= len(channel); n++ {
				if match(tokens[1:], channel[n:]) {
					return true
				}
			}
			return false
		case tokens[0].kind == 'u':
			return len(channel) >= len(name) && slices.Equal(channel[:len(name)], name) && match(tokens[1:], channel[len(name):])
		}
		return len(channel) > 0 && channel[0] == tokens[0].char && match(tokens[1:], channel[1:])
	}
	return match(tokens, []rune(channel))
}

// letters are few, so that what is drawn often matches.
var letters = rapid.SampledFrom([]string{"a", "b", ":", "é", "è", "大", "*", "{", "}", `\`})

func drawText(t *rapid.T, label string, most int) string {
	return strings.Join(rapid.SliceOfN(letters, 1, most).Draw(t, label), "")
}

// drawPattern draws a pattern that is valid more often than not.
func drawPattern(t *rapid.T) string {
	part := rapid.SampledFrom([]string{"a", "b", "a", "b", ":", "é", "大", "}", `\*`, `\{`, `\\`, "*", "*", "a*", "*b", "*ab*", "{user}", "*:{user}", "{user}:"})
	return strings.Join(rapid.SliceOfN(part, 1, 7).Draw(t, "pattern"), "")
}

// drawChannel draws a name that a pattern may well stand for.
func drawChannel(t *rapid.T, pattern, user string) string {
	if rapid.Bool().Draw(t, "any") {
		return drawText(t, "channel", 8)
	}
	fill := rapid.SampledFrom([]string{"", "a", "b", "a:", "大", "aab"})
	channel := strings.ReplaceAll(pattern, "{user}", user)
	for strings.Contains(channel, "*") {
		channel = strings.Replace(channel, "*", fill.Draw(t, "fill"), 1)
	}
	return strings.ReplaceAll(channel, `\`, "")
}

func TestPatternsMatchAsTriedPlainly(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		pattern, user := drawPattern(t), drawText(t, "user", 4)
		channel := drawChannel(t, pattern, user)
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Skip(err)
		}
		want := naive(pattern, user, channel)
		if got := stands(p, user, channel); got != want {
			t.Fatalf("%q for %q matches %q: %v, want %v", pattern, user, channel, got, want)
		}
		if want {
			matched++
		}
	})
	if matched == 0 {
		t.Error("nothing that was drawn matched")
	}
}

// What {user} is for: where nothing before it is open, a channel is one user's.
func TestChannelsOfAUserAreNobodyElses(t *testing.T) {
	matched := 0
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SampledFrom([]string{"", ":", "a:", "大"}).Draw(t, "before")
		after := rapid.SampledFrom([]string{":*", ":a*", "b*", "大*a*", ":", `\**`, ":*:*"}).Draw(t, "after")
		pattern := before + "{user}" + after
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		ada := drawText(t, "ada", 4)
		eve := ada + drawText(t, "more", 4)
		channel := drawChannel(t, pattern, rapid.SampledFrom([]string{ada, eve}).Draw(t, "whose"))
		if stands(p, ada, channel) || stands(p, eve, channel) {
			matched++
		}
		if stands(p, ada, channel) && stands(p, eve, channel) {
			t.Fatalf("%q gives %q to both %q and %q", pattern, channel, ada, eve)
		}
	})
	if matched == 0 {
		t.Error("no channel was anybody's")
	}
}

// Any pattern is refused or matches as tried plainly.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][3]string{
		{"room-*", "ada", "room-1"}, {"{user}:*", "a:b", "a:b:c"}, {"*a*b*c*", "ada", "acb"}, {`\{user}\*\\`, "ada", `{user}*\`},
		{"*****", "a", "a"}, {"*{user}", "a", "a"}, {`\`, "a", "a"}, {"é{user}", "è", "éè"}, {"\xff*", "a", "a"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, pattern, user, channel string) {
		p, err := ParsePattern(pattern)
		if err != nil || schema.CheckName(user) != nil || schema.CheckName(channel) != nil || len(channel) > 32 { // which takes long to try
			return
		}
		if got, want := stands(p, user, channel), naive(pattern, user, channel); got != want {
			t.Errorf("%q for %q matches %q: %v, want %v", pattern, user, channel, got, want)
		}
	})
}
