package connector

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// wrongFor are values that a field of a kind does not take.
var wrongFor = map[string]map[string]string{
	"string": {"a number": `7`, "true": `true`, "a list": `["a"]`, "an object": `{"a":1}`, "half a surrogate": `"\ud83d"`, "the other half": `"\ude00a"`, "halves the wrong way around": `"\ude00\ud83d"`},
	"number": {"a string": `"5"`, "true": `true`, "a list": `[5]`, "an object": `{"a":1}`, "a fraction": `5.5`, "a small fraction": `5e-1`, "2^63": `9223372036854775808`, "1e400": `1e400`, "a long number": strings.Repeat("9", 400), "-2^64": `-18446744073709551616`},
	"flag":   {"a number": `1`, "a string": `"true"`, "a list": `[true]`, "an object": `{"a":true}`},
	"list":   {"a number": `7`, "a string": `"ada"`, "true": `true`, "an object": `{"a":"ada"}`, "a list of numbers": `["ada",7]`, "a list of lists": `[["ada"]]`, "a list with half a surrogate": `["\ud83d"]`},
	"object": {"a number": `7`, "a string": `"ada"`, "true": `true`, "a list": `["ada"]`, "an object of numbers": `{"name":1,"user":2}`},
	"any":    {"half a surrogate": `"\ud83d"`, "a name with half a surrogate": `{"\ud83d":1}`, "an object with a name twice": `{"a":1,"a":2}`, "an object with a name twice, deep within": `[{"b":[{"a":1,"a":2}]}]`, "nested 33 deep": strings.Repeat("[", 33) + strings.Repeat("]", 33), "nested 33 deep in turns": strings.Repeat(`{"a":[`, 16) + "{}" + strings.Repeat(`]}`, 16)},
}

// fields of a request: name, kind, and whether it has to be there.
type field struct {
	name, kind string
	required   bool
}

// requests with their fields, and params that are right.
var requests = map[string]struct {
	fields []field
	right  map[string]string
}{
	rpc.MethodHello:     {[]field{{"user", "string", true}, {"token", "string", false}, {"client", "string", false}}, map[string]string{"user": `"ada"`}},
	rpc.MethodJoin:      {[]field{{"channel", "string", true}, {"limit", "number", false}, {"since", "number", false}, {"epoch", "string", false}}, map[string]string{"channel": `"a"`, "since": `1`, "epoch": `"e"`}},
	rpc.MethodChat:      {[]field{{"channel", "string", true}, {"body", "string", true}, {"to", "string", false}, {"id", "string", false}, {"traceparent", "string", false}, {"retry", "flag", false}, {"type", "string", false}, {"data", "any", false}, {"reply", "number", false}, {"mentions", "list", false}}, map[string]string{"channel": `"a"`, "body": `"x"`}},
	rpc.MethodEdit:      {append(changeFields(), field{"body", "string", true}, field{"type", "string", false}, field{"data", "any", false}), map[string]string{"channel": `"a"`, "seq": "1", "body": `"x"`}},
	rpc.MethodDelete:    {append(changeFields(), field{"reason", "string", false}), map[string]string{"channel": `"a"`, "seq": "1"}},
	rpc.MethodReact:     {append(changeFields(), field{"name", "string", true}, field{"remove", "flag", false}), map[string]string{"channel": `"a"`, "seq": "1", "name": `"x"`}},
	rpc.MethodReactions: {[]field{{"channel", "string", true}, {"seq", "number", true}, {"name", "string", false}, {"after", "object", false}, {"epoch", "string", false}, {"limit", "number", false}}, map[string]string{"channel": `"a"`, "seq": "1"}},
	rpc.MethodPins:      {[]field{{"channel", "string", true}}, map[string]string{"channel": `"a"`}},
	rpc.MethodPin:       {append(changeFields(), field{"remove", "flag", false}), map[string]string{"channel": `"a"`, "seq": "1"}},
	rpc.MethodLeave:     {[]field{{"channel", "string", true}}, map[string]string{"channel": `"a"`}},
	rpc.MethodHistory:   {[]field{{"channel", "string", true}, {"before", "number", false}, {"after", "number", false}, {"around", "number", false}, {"reply", "number", false}, {"user", "string", false}, {"epoch", "string", false}, {"limit", "number", false}}, map[string]string{"channel": `"a"`}},
	rpc.MethodSearch:    {[]field{{"query", "string", true}, {"channel", "string", false}, {"user", "string", false}, {"from", "number", false}, {"to", "number", false}, {"before", "string", false}, {"limit", "number", false}}, map[string]string{"query": `"a"`}},
	rpc.MethodMembers:   {[]field{{"channel", "string", true}, {"after", "string", false}, {"limit", "number", false}}, map[string]string{"channel": `"a"`}},
	rpc.MethodMute:      {append(userFields(), field{"reason", "string", false}, field{"for", "number", false}, field{"purge", "number", false}, field{"epoch", "string", false}), map[string]string{"channel": `"a"`, "user": `"eve"`}},
	rpc.MethodBan:       {append(userFields(), field{"reason", "string", false}, field{"for", "number", false}, field{"purge", "number", false}, field{"epoch", "string", false}), map[string]string{"channel": `"a"`, "user": `"eve"`}},
	rpc.MethodKick:      {append(userFields(), field{"reason", "string", false}), map[string]string{"channel": `"a"`, "user": `"eve"`}},
	rpc.MethodLift:      {append(userFields(), field{"action", "string", false}), map[string]string{"channel": `"a"`, "user": `"eve"`}},
	rpc.MethodPurge:     {append(userFields(), field{"reason", "string", false}, field{"since", "number", false}, field{"epoch", "string", false}), map[string]string{"channel": `"a"`, "user": `"eve"`}},
	rpc.MethodSet:       {[]field{{"channel", "string", true}, {"slow", "number", false}, {"frozen", "flag", false}, {"topic", "string", false}, {"data", "any", false}, {"id", "string", false}, {"retry", "flag", false}}, map[string]string{"channel": `"a"`, "topic": `"x"`}},
	rpc.MethodSignal:    {[]field{{"channel", "string", true}, {"name", "string", true}, {"data", "any", false}}, map[string]string{"channel": `"a"`, "name": `"x"`}},
	rpc.MethodSanctions: {[]field{{"channel", "string", true}, {"after", "string", false}, {"limit", "number", false}}, map[string]string{"channel": `"a"`}},
}

// userFields are what moderators' acts that are about a user have.
func userFields() []field {
	return []field{{"channel", "string", true}, {"user", "string", true}, {"id", "string", false}, {"retry", "flag", false}}
}

// changeFields are what all changes of a message have.
func changeFields() []field {
	return []field{{"channel", "string", true}, {"seq", "number", true}, {"epoch", "string", false}, {"id", "string", false}, {"retry", "flag", false}}
}

// paramsOf writes params as JSON, more text last.
func paramsOf(right map[string]string, change map[string]string, more string) string {
	all := maps.Clone(right)
	maps.Copy(all, change)
	var members []string
	for name, value := range all {
		if value != "" {
			members = append(members, strconv.Quote(name)+":"+value)
		}
	}
	if more != "" {
		members = append(members, more)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// badParam is a request whose params are wrong, and the field that the answer
// names.
type badParam struct{ name, method, params, field string }

func badTypes() (all []badParam) {
	for method, r := range requests {
		for _, f := range r.fields {
			at := method + " with " + f.name + " that is "
			for name, value := range wrongFor[f.kind] {
				all = append(all, badParam{at + name, method, paramsOf(r.right, map[string]string{f.name: value}, ""), f.name})
			}
			twice := strconv.Quote(f.name) + ":1," + strconv.Quote(f.name) + ":1"
			all = append(all, badParam{at + "given twice", method, paramsOf(r.right, map[string]string{f.name: ""}, twice), f.name})
			if f.required {
				all = append(all,
					badParam{at + "missing", method, paramsOf(r.right, map[string]string{f.name: ""}, ""), f.name},
					badParam{at + "null", method, paramsOf(r.right, map[string]string{f.name: "null"}, ""), f.name},
					badParam{at + "in capitals", method, paramsOf(r.right, map[string]string{f.name: "", strings.ToUpper(f.name): r.right[f.name]}, ""), f.name})
			}
		}
		all = append(all,
			badParam{method + " with an unknown field given twice", method, paramsOf(r.right, nil, `"x":1,"x":2`), "x"},
			badParam{method + " with half a surrogate in an unknown field", method, paramsOf(r.right, nil, `"x":["\ud800"]`), "x"},
			badParam{method + " with params by position", method, `["a"]`, "params"})
	}
	return all
}

// badNames are names that nobody gets, and why.
var badNames = map[string]string{
	"empty": "", "of 129 bytes": strings.Repeat("x", 129), "of 43 characters of 3 bytes": strings.Repeat("大", 43), "of a megabyte's worth": strings.Repeat("x", 60_000),
	"with a NUL": "a\x00b", "with a line end": "a\nb", "with a CR": "a\rb", "with a tab": "a\tb", "with a bell": "a\a", "with an escape": "\x1b[31ma", "with a DEL": "a\x7f", "with U+0080": "a\u0080", "with NEL": "a\u0085b", "with U+009F": "a\u009f",
}

// newNames are refused where they would be new: they can pass for others.
var newNames = map[string]string{
	"with a zero-width space": "ad\u200ba", "with a joiner in Latin": "ad\u200da", "with a non-joiner in Latin": "ad\u200ca", "with a word joiner": "ad\u2060a", "with a BOM": "\ufeffada", "with a soft hyphen": "ad\u00ada", "with a grapheme joiner": "ad\u034fa",
	"from right to left": "\u202eada", "embedded": "\u202aada\u202c", "isolated": "\u2066ada\u2069", "with a mark of direction": "ada\u200e", "with an Arabic mark": "ada\u061c", "with a Hangul filler": "ad\u3164a", "with a halfwidth filler": "ad\uffa0a", "with a Mongolian separator": "ad\u180ea",
	"with a style after a letter": "a\ufe0fda", "with a variation of Chinese": "大\U000e0100", "with a tag": "ada\U000e0041", "with a Khmer vowel of nothing": "a\u17b4da", "with an invisible plus": "a\u2064da", "with shorthand": "a\U0001bca0da", "with a musical beam": "a\U0001d173da", "with a joiner in Chinese": "大\u200d厅", "with a joiner in Cyrillic": "а\u200dб",
	"after a blank": " ada", "before a blank": "ada ", "of a blank": " ", "after a no-break space": "\u00a0ada", "before an ideographic space": "ada\u3000", "of an em space": "\u2003", "after a line separator": "\u2028ada", "before Braille of nothing": "ada\u2800", "of a null note": "\U0001d159", "after an Ogham space": "\u1680ada",
}

func badNamesOf() (all []badParam) {
	addIn := func(what, method, field, form string, names map[string]string) {
		for name, value := range names {
			text := fmt.Sprintf("%q", value)
			text = strings.NewReplacer(`\x00`, `\u0000`, `\a`, `\u0007`, `\x1b`, `\u001b`, `\x7f`, `\u007f`).Replace(text)
			if strings.Contains(text, `\U`) || strings.Contains(text, `\x`) {
				text = `"` + value + `"`
			}
			all = append(all, badParam{what + " " + name, method, paramsOf(requests[method].right, map[string]string{field: fmt.Sprintf(form, text)}, ""), field})
		}
	}
	add := func(what, method, field string, names map[string]string) { addIn(what, method, field, "%s", names) }
	for method := range requests {
		if method == rpc.MethodHello {
			continue
		}
		add(method+" of a channel", method, "channel", badNames)
	}
	add("history of a user", rpc.MethodHistory, "user", badNames)
	for _, method := range []string{rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge} {
		add(method+" of a user", method, "user", badNames)
	}
	for _, names := range []map[string]string{badNames, newNames} {
		add("hello of a user", rpc.MethodHello, "user", names)
		add("chat to a user", rpc.MethodChat, "to", names)
		addIn("chat that mentions a user", rpc.MethodChat, "mentions", `["ada",%s]`, names)
	}
	return all
}

func badSizes() []badParam {
	text := func(n int) string { return `"` + strings.Repeat("i", n) + `"` }
	in := func(method, field, value string) string {
		return paramsOf(requests[method].right, map[string]string{field: value}, "")
	}
	all := []badParam{
		{"chat with an empty body", "chat", in("chat", "body", `""`), "body"}, {"chat with an empty id", "chat", in("chat", "id", `""`), "id"}, {"chat with an id of 65 bytes", "chat", in("chat", "id", text(65)), "id"},
		{"chat with an id of 22 characters of 3 bytes", "chat", in("chat", "id", `"`+strings.Repeat("大", 22)+`"`), "id"}, {"chat with an id of 60,000 bytes", "chat", in("chat", "id", text(60_000)), "id"},
		{"join without the epoch of since", "join", `{"channel":"a","since":1}`, "epoch"}, {"join with an empty epoch", "join", `{"channel":"a","since":1,"epoch":""}`, "epoch"}, {"join with since null and no epoch is fine but for the limit", "join", `{"channel":"a","since":null,"limit":-1}`, "limit"},
		{"join with a negative since", "join", in("join", "since", "-1"), "since"}, {"join with since -2^63", "join", in("join", "since", "-9223372036854775808"), "since"},
		{"members after a name with a NUL", "members", in("members", "after", `"a\u0000"`), "after"}, {"members after a long name", "members", in("members", "after", text(129)), "after"},
		{"history before and after", "history", `{"channel":"a","before":1,"after":1}`, "after"}, {"history before and around", "history", `{"channel":"a","before":1,"around":1}`, "around"},
		{"history after and around", "history", `{"channel":"a","after":1,"around":1}`, "around"}, {"history of all three", "history", `{"channel":"a","before":1,"after":1,"around":1}`, "after"}, {"history before and after 0", "history", `{"channel":"a","before":0,"after":0}`, "after"},
	}
	all = append(all, badChangeSizes(in, text)...)
	all = append(all, badModeration(in, text)...)
	for _, at := range []string{"before", "after", "around"} {
		for _, n := range []string{"-1", "-1.0", "-1e0", "-9223372036854775808", "-5e9"} {
			all = append(all, badParam{"history " + at + " " + n, "history", in("history", at, n), at})
		}
	}
	for method, limits := range map[string][]string{
		"join":      {"-1", "301", "1e3", "2147483648", "9223372036854775807", "-9223372036854775808"},
		"history":   {"0", "-1", "301", "-0.0", "3.01e2", "9223372036854775807"},
		"members":   {"0", "-1", "1001", "1e4", "9223372036854775807"},
		"sanctions": {"0", "-1", "1001", "1e4", "9223372036854775807"},
	} {
		for _, n := range limits {
			all = append(all, badParam{method + " with limit " + n, method, in(method, "limit", n), "limit"})
		}
	}
	return all
}

// badChangeSizes are those of what came with format 2.
func badChangeSizes(in func(method, field, value string) string, text func(int) string) (all []badParam) {
	add := func(method, field string, values map[string]string) {
		for name, value := range values {
			all = append(all, badParam{method + " with " + field + " " + name, method, in(method, field, value), field})
		}
	}
	lengths := map[string]string{"that is empty": `""`, "of 65 bytes": text(65), "of 22 characters of 3 bytes": `"` + strings.Repeat("大", 22) + `"`, "of 60,000 bytes": text(60_000)}
	seqs := map[string]string{"0": "0", "-0.0": "-0.0", "-1": "-1", "-2^63": "-9223372036854775808", "2^53": "9007199254740992", "2^63-1": "9223372036854775807"}
	for _, method := range []string{rpc.MethodEdit, rpc.MethodDelete, rpc.MethodReact, rpc.MethodPin} {
		add(method, "seq", seqs)
		add(method, "id", lengths)
	}
	add(rpc.MethodReactions, "seq", seqs)
	add(rpc.MethodReactions, "name", lengths)
	add(rpc.MethodReactions, "after", map[string]string{"without a user": `{"name":"x"}`, "without a name": `{"user":"ada"}`, "that is empty": `{}`, "with a long name": `{"user":"ada","name":` + text(65) + `}`, "with a bad user": `{"user":"a\u0000","name":"x"}`})
	add(rpc.MethodReactions, "limit", map[string]string{"0": "0", "-1": "-1", "1001": "1001", "2^63-1": "9223372036854775807"})
	add(rpc.MethodHistory, "reply", seqs)
	add(rpc.MethodSearch, "query", map[string]string{"that is empty": `""`, "of spaces": `" \u3000\t"`, "of punctuation": `"% _ .* [ ( \\ ' ? ，。"`, "of an emoji": `"🎉"`, "of control characters": `"\u0000\u0001"`, "of zero-width characters": `"\u200b\u2060"`, "of 257 bytes": text(257), "of 4 KiB": text(4096), "of 86 characters of 3 bytes": `"` + strings.Repeat("大", 86) + `"`, "of 17 words": `"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"`})
	cursor := func(s string) string { return `"` + base64.RawURLEncoding.EncodeToString([]byte(s)) + `"` }
	add(rpc.MethodSearch, "before", map[string]string{"that is empty": `""`, "of 60,000 bytes": text(60_000), "that is not base64": `"a b"`, "with padding": `"WyJlIl0="`, "of standard base64": `"+/+/"`, "of no JSON": cursor("x"), "of null": cursor("null"), "of an object": cursor("{}"), "of three parts": cursor(`["e",1,"a"]`), "of five parts": cursor(`["e",1,"a",1,1]`), "of wrong kinds": cursor(`[1,"e",1,"a"]`), "with a bad channel": cursor(`["e",1,"a\u0000",1]`), "with a bad epoch": cursor(`["",1,"a",1]`), "with a negative time": cursor(`["e",-1,"a",1]`), "with seq 0": cursor(`["e",1,"a",0]`), "with seq 2^53": cursor(`["e",1,"a",9007199254740992]`)})
	for _, field := range []string{"from", "to"} {
		add(rpc.MethodSearch, field, map[string]string{"-1": "-1", "2^53": "9007199254740992", "-2^63": "-9223372036854775808"})
	}
	add(rpc.MethodSearch, "to", map[string]string{"0": "0"})
	all = append(all, badParam{"search from after to", rpc.MethodSearch, `{"query":"a","from":2,"to":1}`, "to"}, badParam{"search of no time", rpc.MethodSearch, `{"query":"a","from":2,"to":2}`, "to"})
	add(rpc.MethodSearch, "limit", map[string]string{"0": "0", "-1": "-1", "101": "101", "2^63-1": "9223372036854775807"})
	all = append(all, badParam{"history of answers around", rpc.MethodHistory, `{"channel":"a","around":1,"reply":1}`, "reply"}, badParam{"history of a user around", rpc.MethodHistory, `{"channel":"a","around":1,"user":"ada"}`, "user"})
	add(rpc.MethodChat, "reply", seqs)
	add(rpc.MethodChat, "type", lengths)
	add(rpc.MethodEdit, "type", lengths)
	add(rpc.MethodReact, "name", lengths)
	add(rpc.MethodEdit, "body", map[string]string{"that is empty": `""`})
	add(rpc.MethodDelete, "reason", map[string]string{"of 513 bytes": text(513), "of 171 characters of 3 bytes": `"` + strings.Repeat("大", 171) + `"`, "of 60,000 bytes": text(60_000)})
	add(rpc.MethodChat, "mentions", map[string]string{"of 51 users": "[" + strings.Repeat(`"ada",`, 50) + `"ada"]`, "of 5,000 users": "[" + strings.Repeat(`"ada",`, 4999) + `"ada"]`, "of nobody": `[""]`, "that has null": `["ada",null]`})
	return all
}

// badModeration are those of what moderators do.
func badModeration(in func(method, field, value string) string, text func(int) string) (all []badParam) {
	add := func(method, field string, values map[string]string) {
		for name, value := range values {
			all = append(all, badParam{method + " with " + field + " " + name, method, in(method, field, value), field})
		}
	}
	ids := map[string]string{"that is empty": `""`, "of 65 bytes": text(65), "of 22 characters of 3 bytes": `"` + strings.Repeat("大", 22) + `"`, "of 60,000 bytes": text(60_000)}
	reasons := map[string]string{"of 513 bytes": text(513), "of 171 characters of 3 bytes": `"` + strings.Repeat("大", 171) + `"`, "of 60,000 bytes": text(60_000)}
	seqs := map[string]string{"-1": "-1", "-1.0": "-1.0", "-2^63": "-9223372036854775808", "2^53": "9007199254740992", "2^63-1": "9223372036854775807"}
	for _, method := range []string{rpc.MethodMute, rpc.MethodBan} {
		add(method, "for", map[string]string{"0": "0", "-0.0": "-0.0", "-1": "-1", "of more than a hundred years": "3153600000001", "2^53": "9007199254740992", "2^63-1": "9223372036854775807", "-2^63": "-9223372036854775808"})
		add(method, "purge", seqs)
	}
	add(rpc.MethodPurge, "since", seqs)
	for _, method := range []string{rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodPurge} {
		add(method, "reason", reasons)
	}
	for _, method := range []string{rpc.MethodMute, rpc.MethodBan, rpc.MethodKick, rpc.MethodLift, rpc.MethodPurge, rpc.MethodSet} {
		add(method, "id", ids)
	}
	add(rpc.MethodLift, "action", map[string]string{"that is empty": `""`, "of a kick": `"kick"`, "of a lift": `"lift"`, "in capitals": `"MUTE"`, "of both": `"mute,ban"`})
	add(rpc.MethodSet, "slow", map[string]string{"-1": "-1", "of more than a day": "86401", "2^53": "9007199254740992", "-2^63": "-9223372036854775808"})
	add(rpc.MethodSet, "topic", map[string]string{"of 257 bytes": text(257), "of 86 characters of 3 bytes": `"` + strings.Repeat("大", 86) + `"`, "of 60,000 bytes": text(60_000)})
	for name, params := range map[string]string{"nothing": `{"channel":"a"}`, "nothing but null": `{"channel":"a","slow":null,"frozen":null,"topic":null}`, "pins": `{"channel":"a","pins":[1]}`, "an id": `{"channel":"a","id":"x"}`, "settings in capitals": `{"channel":"a","Topic":"x","FROZEN":true}`} {
		all = append(all, badParam{"set of " + name, rpc.MethodSet, params, "params"})
	}
	add(rpc.MethodSignal, "name", ids)
	add(rpc.MethodSignal, "data", map[string]string{"that is nested 33 deep": strings.Repeat("[", 33) + strings.Repeat("]", 33)})
	add(rpc.MethodSanctions, "after", map[string]string{"of a name with a NUL": `"a\u0000"`, "of a long name": text(129)})
	return all
}

// Params that are wrong are answered with -32602 and the name of the field, before
// anything else is looked at.
func TestBadParams(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	for group, all := range map[string][]badParam{"type": badTypes(), "name": badNamesOf(), "size": badSizes()} {
		for _, c := range all {
			t.Run(group+"/"+c.name, func(t *testing.T) {
				r.over(t, "ada", func(ws *websocket.Conn) {
					a, text := answerOf(t, ws, requestFor(c.method, c.params))
					if a.Error == nil || a.Error.Code != rpc.CodeInvalidParams || a.Error.Data == nil || a.Error.Data.Field != c.field || string(a.ID) != "7" {
						t.Errorf("%s of %.200q is answered %.300s, want %d for %s", c.method, c.params, text, rpc.CodeInvalidParams, c.field)
					}
					if pong := answerTo(t, ws, ping); !strings.Contains(pong, `"result":{}`) {
						t.Errorf("the next ping is answered %s", pong)
					}
				})
			})
		}
	}
}
