package grants

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema/strict"
)

// repeated is a JSON list of n times the same.
func repeated(n int, text string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(text+",", n), ",") + "]"
}

const grant = `{"channels":["a"],"allow":["join"]}`

// claimCases has a row for each sentence about grants in a token.
func claimCases() []struct{ claim, wrong string } {
	return []struct {
		claim, wrong string // "": it is taken
	}{
		{``, ``},
		{`null`, ``},
		{`[]`, ``},
		{`[` + grant + `]`, ``},
		{`[{"channels":[],"allow":[]}]`, ``},
		{`[{"channels":["a"],"allow":["join","dance"]}]`, ``},
		{`[{"channels":["a"],"allow":["join"],"comment":7}]`, ``},
		{repeated(64, grant), ``},
		{repeated(65, grant), `parley/grants has more than 64 grants`},
		{`[{"channels":` + repeated(16, `"a"`) + `,"allow":["join"]}]`, ``},
		{`[{"channels":` + repeated(17, `"a"`) + `,"allow":["join"]}]`, `parley/grants/0/channels has more than 16 patterns`},
		{repeated(64, `{"channels":`+repeated(16, `"a"`)+`,"allow":["join"]}`), ``},
		{`{}`, `parley/grants is of another type`},
		{`"*"`, `parley/grants is of another type`},
		{`7`, `parley/grants is of another type`},
		{`[7]`, `parley/grants/0 is of another type`},
		{`["a"]`, `parley/grants/0 is of another type`},
		{`[null]`, `parley/grants/0/channels is missing`},
		{`[[]]`, `parley/grants/0 is of another type`},
		{`[{}]`, `parley/grants/0/channels is missing`},
		{`[` + grant + `,{"channels":["a"]}]`, `parley/grants/1/allow is missing`},
		{`[{"allow":["join"]}]`, `parley/grants/0/channels is missing`},
		{`[{"Channels":["a"],"allow":["join"]}]`, `parley/grants/0/channels is missing`},
		{`[{"channels":["a"],"alow":["join"]}]`, `parley/grants/0/allow is missing`},
		{`[{"channels":null,"allow":["join"]}]`, `parley/grants/0/channels is missing`},
		{`[{"channels":["a"],"allow":null}]`, `parley/grants/0/allow is missing`},
		{`[{"channels":"a","allow":["join"]}]`, `parley/grants/0/channels is of another type`},
		{`[{"channels":["a"],"allow":"join"}]`, `parley/grants/0/allow is of another type`},
		{`[{"channels":{"a":1},"allow":["join"]}]`, `parley/grants/0/channels is of another type`},
		{`[{"channels":["a",7],"allow":["join"]}]`, `parley/grants/0/channels/1 must be a string`},
		{`[{"channels":["a",null],"allow":["join"]}]`, `parley/grants/0/channels/1 must be a string`},
		{`[{"channels":["a"],"allow":[true]}]`, `parley/grants/0/allow/0 must be a string`},
		{`[{"channels":["a"],"allow":["join",null]}]`, `parley/grants/0/allow/1 must be a string`},
		{`[{"channels":["a"],"channels":["*"],"allow":["join"]}]`, `parley/grants/0/channels is given twice`},
		{`[{"channels":["a"],"allow":["join"],"\u0061llow":["*"]}]`, `parley/grants/0/allow is given twice`},
		{`[{"channels":["\ud800"],"allow":["join"]}]`, `parley/grants/0/channels/0 must be Unicode text`},
		{"[{\"channels\":[\"\xff\"],\"allow\":[\"join\"]}]", `parley/grants/0/channels/0 must be Unicode text`},
		{`[{"channels":["a","*****"],"allow":["join"]}]`, `parley/grants/0/channels/1 has more than 4 *`},
		{`[{"channels":["a","{users}"],"allow":["join"]}]`, `parley/grants/0/channels/1 has a {`},
		{`[{"channels":["a\\"],"allow":["join"]}]`, `parley/grants/0/channels/0 has a \`},
		{`[{"channels":["{user}*"],"allow":["join"]}]`, `parley/grants/0/channels/0 has {user} next to`},
		{`[{"channels":[""],"allow":["join"]}]`, `parley/grants/0/channels/0 is empty`},
		{`[{"channels":["*****"],"allow":["dance"]}]`, `parley/grants/0/channels/0 has more than 4 *`},
		{`[`, `parley/grants is not JSON`},
		{`[]]`, `parley/grants is not JSON`},
		{strings.Repeat("[", strict.MaxDepth+1), `parley/grants is nested too deeply`},
	}
}

func TestClaims(t *testing.T) {
	for _, c := range claimCases() {
		if c.wrong != "" {
			continue
		}
		if _, err := ParseClaim([]byte(c.claim)); err != nil {
			t.Errorf("%.100s: %v", c.claim, err)
		}
	}
}

func TestBadClaims(t *testing.T) {
	for _, c := range claimCases() {
		if c.wrong == "" {
			continue
		}
		t.Run(fmt.Sprintf("%.60s", c.claim), func(t *testing.T) {
			l, err := ParseClaim([]byte(c.claim))
			var wrong *strict.Error
			switch {
			case !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), c.wrong):
				t.Errorf("%v, want %s", err, c.wrong)
			case len(l.grants) > 0:
				t.Errorf("something is granted all the same")
			}
		})
	}
}

func TestWhatChannelTokensAllow(t *testing.T) {
	for claim, want := range map[string]Actions{
		`[]`: 0, `["join","chat","dance"]`: 1<<Join | 1<<Chat, `["*"]`: everyday, `["moderate"]`: everyday | 1<<Moderate,
	} {
		if got, err := ParseAllow([]byte(claim)); got != want || err != nil {
			t.Errorf("%s: %b, %v, want %b", claim, got, err, want)
		}
	}
	for claim, want := range map[string]string{
		``: "allow is missing", `null`: "allow is missing", `"join"`: "allow is of another type", `["join",7]`: "allow/1 must be a string",
		`[null]`: "allow/0 must be a string", `{}`: "allow is of another type",
	} {
		if got, err := ParseAllow([]byte(claim)); got != 0 || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %b, %v, want %s", claim, got, err, want)
		}
	}
}

// fileCases are what people write into files, and the sentence that they get.
func fileCases() []struct{ text, want string } {
	const form = `; the file has the form {"grants": [{"channels": ["room-*"], "allow": ["join", "chat"]}]}`
	return []struct{ text, want string }{
		{`{"grants":[]}`, ``},
		{"{\"grants\":[{\"channels\":[\"room-*\"],\"allow\":[\"join\"]}], \"hooks\": []}\r\n", ``},
		{``, `line 1: it is not JSON: check the commas, quotes and brackets there`},
		{"\n\n", `line 1: it is not JSON: check the commas, quotes and brackets there`},
		{"{\n\"grants\": [\n", `line 2: it is not JSON: check the commas, quotes and brackets there`},
		{"{\n\"grants\": [\n{\"channels\":[\"a\"] \"allow\":[]}\n]}", `line 3: it is not JSON: check the commas, quotes and brackets there`},
		{"{\n\"grants\": [\n],\n}\n", `line 3: it is not JSON: check the commas, quotes and brackets there`},
		{"{\"grants\": []}\n\n{}", `line 3: it is not JSON: check the commas, quotes and brackets there`},
		{"{\"grants\": []}\n// all", `line 2: it is not JSON: check the commas, quotes and brackets there`},
		{"\ufeff{}", `line 1: it is not JSON: check the commas, quotes and brackets there`},
		{"\n[]", `line 2: it is of another type` + form},
		{`{}`, `line 1: grants is missing: put a list there` + form},
		{"{\n\"Grants\": []}", `line 1: grants is missing: put a list there` + form},
		{"{\"a\":1,\n\"grants\": null}", `line 2: grants is missing: put a list there` + form},
		{"{\n\n\"grants\": {}}", `line 3: grants is of another type` + form},
		{"{\"grants\": [\n{\"channels\":[\"a\"],\"allow\":[]},\n{\"channels\":\n\"a\",\n\"allow\":[]}]}", `line 3: grants/1/channels is of another type` + form},
		{"{\"grants\": [\n{\"channels\":[\"a\"],\"allow\":[]},\n{\n\"channels\":[\"a\"],\n\"alow\":[]\n}\n]\n}", `line 3: grants/1/allow is missing: put a list there` + form},
		{"{\"grants\": [\n{\"channels\":[\n\"a\",\n\"b{\"],\n\"allow\":[]}]}", `line 4: grants/0/channels/1 ` + errBrace.Error()},
		{"{\"grants\": [\n{\"channels\":[\n\"a\",\n7],\n\"allow\":[]}]}", `line 4: grants/0/channels/1 must be a string`},
		{"{\"grants\": [\n{\"channels\":[\n\"a\",\nnull],\n\"allow\":[]}]}", `line 4: grants/0/channels/1 must be a string, not null`},
		{"{\"grants\": [],\n\"grants\": []}", `line 2: grants is given twice`},
		{"{\"a\":1,\"a\":1,\n\"grants\": [}", `line 2: it is not JSON: check the commas, quotes and brackets there`},
		{"\n" + strings.Repeat("[", strict.MaxDepth+1), `line 2: it is nested too deeply`},
		{"{\"a\": {\"b\":1,\n\"b\":2},\n\"grants\": []}", `line 2: a/b is given twice`},
		{"{\"grants\": [\n{\"channels\":[\n\"\\ud800\"],\n\"allow\":[]}]}", `line 3: grants/0/channels/0 must be Unicode text: it holds half of a surrogate pair, or bytes that are not UTF-8`},
		{"{\n\"grants\": " + repeated(65, `{"channels":[],"allow":[]}`) + "}", `line 2: grants has more than 64 grants: put channels that allow the same into one grant`},
		{"{\n\"grants\": [{\n\"channels\":" + repeated(17, `"a"`) + ",\"allow\":[]}]}", `line 3: grants/0/channels has more than 16 patterns: use *, or several grants`},
		{`{"grants":[],"hooks":[{"channels":["team-*"]},{"channels":["a","b"]}]}`, ""},
		{`{"grants":[],"hooks":[]}`, ""},
		{"{\"grants\":[],\n\"hooks\":[{}]}", `line 2: hooks/0/channels is missing: put a list there; the file has the form {"grants": [{"channels": ["room-*"], "allow": ["join", "chat"]}]}`},
		{"{\"grants\":[],\n\"hooks\":[{\"channels\":[null]}]}", `line 2: hooks/0/channels/0 must be a string, not null`},
		{"{\"grants\":[],\n\"hooks\":[{\"channels\":[\"a{\"]}]}", `line 2: hooks/0/channels/0 has a { that does not begin {user}: write \{ for the character, which is "\\{" in JSON`},
		{"{\"grants\":[],\n\"hooks\":[{\"channels\":[\"{user}:a\"]}]}", `line 2: hooks/0/channels/0 has {user}, and hooks are for all users: write * in its place`},
		{strings.Repeat(" ", MaxFile) + `{"grants":[]}`, errLong.Error()},
	}
}

func TestFiles(t *testing.T) {
	for _, c := range fileCases() {
		if _, _, err := ParseFile([]byte(c.text)); c.want == "" && err != nil {
			t.Errorf("%.80q: %v", c.text, err)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for _, c := range fileCases() {
		if c.want == "" {
			continue
		}
		t.Run(fmt.Sprintf("%.90q", c.text), func(t *testing.T) {
			file, _, err := ParseFile([]byte(c.text))
			if err == nil || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
			if len(file.Grants.grants) > 0 || file.Hooks.of != nil {
				t.Error("something is granted all the same")
			}
		})
	}
}

func TestUnknownActionsOfFilesAreNamed(t *testing.T) {
	file, unknown, err := ParseFile([]byte(`{"grants":[{"channels":["a"],"allow":["jion","chat"]},{"channels":["b"],"allow":["api"]}]}`))
	if err != nil || fmt.Sprint(unknown) != "[jion api]" {
		t.Fatalf("%v, %v", unknown, err)
	}
	if m := Compile("ada", file.Grants); !m.Allows(Chat, "a", never) || m.Allows(Join, "a", never) {
		t.Error("what is known beside them is not granted, or they are")
	}
}

// Texts are screened where the file says, everywhere where it says nothing.
func TestHooksOfFiles(t *testing.T) {
	for text, want := range map[string]string{
		`{"grants":[]}`:                                   "team-1 lobby",
		`{"grants":[],"hooks":[]}`:                        "",
		`{"grants":[],"hooks":[{"channels":["team-*"]}]}`: "team-1",
		`{"grants":[],"hooks":[{"channels":["x"]},{"channels":["y","lobby"]}]}`: "lobby",
	} {
		file, _, err := ParseFile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, channel := range []string{"team-1", "lobby"} {
			if file.Hooks.Has(channel) {
				got = append(got, channel)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q are screened, want %q", text, got, want)
		}
	}
}

// Records are made of patterns and names without JSON.
func TestMadeGrantsAreChecked(t *testing.T) {
	for _, c := range []struct {
		channels []string
		want     string
	}{
		{[]string{"a", "*"}, ""}, {nil, ""}, {times("a", 16), ""},
		{times("a", 17), "channels has more than 16"}, {[]string{"a", "{"}, "channels/1 has a {"}, {[]string{"\xff"}, "channels/0 must be Unicode"},
	} {
		_, err := New(c.channels, []string{"join"})
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.channels, err, c.want)
		}
	}
	given := make([]Grant, 65)
	if _, err := NewList(given...); err == nil {
		t.Error("65 grants are taken")
	}
	given = given[:1]
	given[0], _ = New([]string{"a"}, []string{"join"})
	l, err := NewList(given...)
	given[0] = Grant{}
	if err != nil || !Compile("ada", l).Allows(Join, "a", never) {
		t.Errorf("a list changed with what it was made of (%v)", err)
	}
}

func times(text string, n int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(text+",", n), ","), ",")
}

// Whatever a claim or a file holds is refused in one line, or makes a matcher.
func FuzzGrants(f *testing.F) {
	for _, seed := range []string{
		`[{"channels":["room-*","{user}:*"],"allow":["join","*"]}]`, `[{"channels":["*****"],"allow":[]}]`, `[{}]`, `[null]`, `null`, `{}`, `[`,
		`{"grants":[{"channels":["a"],"allow":["moderate","dance"]}]}`, "{\n\"grants\":[\n{\"channels\":[\"a{\"],\"allow\":[]}]}", `{"grants":null}`,
		`{"grants":[],"hooks":[{"channels":["a","{user}"]}]}`, `{"grants":[],"grants":[]}`, `{"a/b~c":[{"d":1,"d":1}],"grants":[]}`,
	} {
		f.Add(seed, "ada", "room-1")
	}
	f.Fuzz(func(t *testing.T, text, user, channel string) {
		list, err := ParseClaim([]byte(text))
		file, unknown, wrong := ParseFile([]byte(text))
		for _, err := range []error{err, wrong} {
			if err != nil && (err.Error() == "" || strings.ContainsAny(err.Error(), "\r\n")) {
				t.Errorf("%q: %q is not a sentence", text, err)
			}
		}
		if err != nil && len(list.grants) > 0 || wrong != nil && (len(file.Grants.grants) > 0 || unknown != nil) {
			t.Errorf("%q: something is granted all the same", text)
		}
		if wrong != nil && !strings.HasPrefix(wrong.Error(), "line ") {
			t.Errorf("%q: %q names no line", text, wrong)
		}
		m := Compile(user, list, file.Grants)
		if len(list.grants) > MaxGrants || len(m.exact)+len(m.wild) > 2*MaxGrants*MaxPatterns {
			t.Errorf("%q makes more than a list holds", text)
		}
		missing, ok := m.Check(Chat, channel, never)
		if ok != (missing == 0) || ok != m.Allows(Chat, channel, never) || m.Allows(0, channel, never) {
			t.Errorf("%q: %v, %v", text, missing, ok)
		}
	})
}
