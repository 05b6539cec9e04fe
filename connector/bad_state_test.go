package connector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/testing/wstest"
	"github.com/parley-chat/parley/schema/rpc"
)

// channelRequests are right but for what the table says of them.
var channelRequests = map[string]string{
	"join": `{"channel":"a"}`, "join with since": `{"channel":"a","since":1,"epoch":"e"}`, "chat": `{"channel":"a","body":"x"}`, "chat to a user": `{"channel":"a","body":"x","to":"bob"}`, "leave": `{"channel":"a"}`,
	"history": `{"channel":"a"}`, "history before": `{"channel":"a","before":5}`, "history after": `{"channel":"a","after":5}`, "history around": `{"channel":"a","around":5}`, "history of another epoch": `{"channel":"a","epoch":"x"}`, "edit": `{"channel":"a","seq":1,"body":"x"}`, "edit with all fields": `{"channel":"a","seq":1,"body":"x","type":"t","data":null,"epoch":"e","id":"i","retry":true}`, "delete": `{"channel":"a","seq":1}`, "react": `{"channel":"a","seq":1,"name":"x"}`, "react to take back": `{"channel":"a","seq":1,"name":"x","remove":true}`, "reactions": `{"channel":"a","seq":1}`, "reactions after": `{"channel":"a","seq":1,"name":"x","after":{"name":"x","user":"bob"},"limit":5}`, "pins": `{"channel":"a"}`, "history of answers": `{"channel":"a","reply":1}`, "history of a user": `{"channel":"a","user":"bob"}`, "pin": `{"channel":"a","seq":1}`, "pin to take back": `{"channel":"a","seq":1,"remove":true}`,
	"chat with structure": `{"channel":"a","body":"x","type":"t","data":{"a":1},"reply":1,"mentions":["bob"],"retry":true,"id":"i"}`,
	"mute":                `{"channel":"a","user":"eve"}`, "mute with all fields": `{"channel":"a","user":"eve","for":1,"reason":"r","purge":0,"epoch":"e","id":"i","retry":true}`, "ban": `{"channel":"a","user":"eve","for":60000}`, "kick": `{"channel":"a","user":"eve","reason":"r"}`, "lift": `{"channel":"a","user":"eve"}`, "lift of a mute": `{"channel":"a","user":"eve","action":"mute"}`, "purge": `{"channel":"a","user":"eve","since":0}`, "set": `{"channel":"a","slow":5}`, "set of all": `{"channel":"a","slow":0,"frozen":false,"topic":"","data":null,"id":"i","retry":true}`, "sanctions": `{"channel":"a"}`, "sanctions after": `{"channel":"a","after":"bob","limit":5}`,
	"signal": `{"channel":"a","name":"typing"}`, "signal with data": `{"channel":"a","name":"cursor","data":{"x":1}}`,
	"members": `{"channel":"a"}`, "members after": `{"channel":"a","after":"bob"}`,
}

// actionOf is what a request of channelRequests needs.
var actionOf = map[string]string{
	"join": "join", "join with since": "join", "chat": "chat", "chat to a user": "private", "leave": "join", "members": "join", "members after": "join",
	"edit": "edit", "edit with all fields": "edit", "delete": "edit", "react": "react", "react to take back": "react", "reactions": "join", "reactions after": "join", "pins": "history", "history of answers": "history", "history of a user": "history", "pin": "moderate", "pin to take back": "moderate", "chat with structure": "chat",
	"mute": "moderate", "mute with all fields": "moderate", "ban": "moderate", "kick": "moderate", "lift": "moderate", "lift of a mute": "moderate", "purge": "moderate", "set": "moderate", "set of all": "moderate", "sanctions": "moderate", "sanctions after": "moderate",
	"signal": "signal", "signal with data": "signal",
	"history": "history", "history before": "history", "history after": "history", "history around": "history", "history of another epoch": "history",
}

func methodOf(name string) string {
	method, _, _ := strings.Cut(name, " ")
	return method
}

// badMoment is a frame at a moment at which it is refused.
type badMoment struct {
	name, frame string
	code        int
}

func beforeHello() (all []badMoment) {
	for name, params := range channelRequests {
		all = append(all, badMoment{name + " before hello", requestFor(methodOf(name), params), rpc.CodeUnauthenticated})
	}
	return append(all, badMoment{"ping before hello", requestFor("ping", `{}`), rpc.CodeUnauthenticated})
}

func notJoined() (all []badMoment) {
	for name, params := range channelRequests {
		switch {
		case actionOf[name] == "moderate": // which nobody has where users are not known
			all = append(all, badMoment{name + " before join", requestFor(methodOf(name), params), rpc.CodeForbidden})
		case methodOf(name) != "join":
			all = append(all, badMoment{name + " before join", requestFor(methodOf(name), params), rpc.CodeNotJoined})
		}
	}
	return all
}

// withFieldsOfOthers are requests with fields that they do not have, and that
// would be wrong where others have them: they are ignored.
func withFieldsOfOthers() (all []badMoment) {
	for method, r := range requests {
		if method == rpc.MethodHello || method == rpc.MethodJoin || method == rpc.MethodSearch { // these need no membership
			continue
		}
		own, foreign := map[string]bool{}, map[string]string{}
		for _, f := range r.fields {
			own[f.name] = true
		}
		for _, other := range requests {
			for _, f := range other.fields {
				if !own[f.name] {
					foreign[f.name] = `[{}]`
				}
			}
		}
		code := rpc.CodeNotJoined
		if actionOf[method] == "moderate" {
			code = rpc.CodeForbidden
		}
		all = append(all, badMoment{method + " with fields of others", requestFor(method, paramsOf(r.right, foreign, "")), code})
	}
	return all
}

func noMethods() (all []badMoment) {
	for _, name := range []string{
		"", " ", "Ping", "PING", "ping ", " ping", "ping\x00", "pi\u200dng", "рing", "hello.world", "parley.ping", "rpc.discover", "subscribe", "publish", "connect", "send", "drain", "joined", "left", "presence", "removed", "error",
		"__proto__", "constructor", "toString", "../ping", "ping;join", "join\n", strings.Repeat("x", 60_000), "大厅", "*", "%s%s%s", "${jndi:ldap://x}", "' OR 1=1 --", "<script>",
	} {
		frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"%s","params":{}}`, strings.NewReplacer("\x00", `\u0000`, "\n", `\n`).Replace(name))
		all = append(all, badMoment{fmt.Sprintf("the method %.40q", name), frame, rpc.CodeNoMethod})
	}
	return all
}

// Requests at the wrong moment are answered with the documented code, for their id,
// and change nothing.
func TestBadMoments(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	big := strings.Repeat("b", 4097)
	for user, all := range map[string][]badMoment{"": beforeHello(), "ada": slices.Concat(notJoined(), noMethods(), withFieldsOfOthers()), "eve": {
		{"hello as somebody else", requestFor("hello", `{"user":"ada"}`), rpc.CodeForbidden},
		{"hello as oneself in capitals", requestFor("hello", `{"user":"EVE"}`), rpc.CodeForbidden},
		{"hello as oneself and more", requestFor("hello", `{"user":"eve2"}`), rpc.CodeForbidden},
		{"a body of 4,097 bytes", requestFor("chat", `{"channel":"a","body":"`+big+`"}`), rpc.CodeTooLarge},
		{"a body of 1,366 characters of 3 bytes", requestFor("chat", `{"channel":"a","body":"`+strings.Repeat("大", 1366)+`"}`), rpc.CodeTooLarge},
		{"a body of 4,097 escapes", requestFor("chat", `{"channel":"a","body":"`+strings.Repeat(`\u0000`, 4097)+`"}`), rpc.CodeTooLarge},
		{"data of 4,097 bytes", requestFor("chat", `{"channel":"a","body":"x","data":"`+strings.Repeat("b", 4095)+`"}`), rpc.CodeTooLarge},
		{"data of 1 byte in 4,097 bytes", requestFor("chat", `{"channel":"a","body":"x","data":[`+strings.Repeat(" ", 4094)+`1]}`), rpc.CodeTooLarge},
		{"an edit with a body of 4,097 bytes", requestFor("edit", `{"channel":"a","seq":1,"body":"`+big+`"}`), rpc.CodeTooLarge},
		{"an edit with data of 4,097 bytes", requestFor("edit", `{"channel":"a","seq":1,"body":"x","data":"`+strings.Repeat("b", 4095)+`"}`), rpc.CodeTooLarge},
		{"data of a channel of 1,025 bytes", requestFor("set", `{"channel":"a","data":"`+strings.Repeat("b", 1023)+`"}`), rpc.CodeTooLarge},
		{"data of a channel of 1 byte in 1,025 bytes", requestFor("set", `{"channel":"a","data":[`+strings.Repeat(" ", 1022)+`1]}`), rpc.CodeTooLarge},
		{"data of a signal of 1,025 bytes", requestFor("signal", `{"channel":"a","name":"x","data":"`+strings.Repeat("b", 1023)+`"}`), rpc.CodeTooLarge},
		{"a private body of 4,097 bytes", requestFor("chat", `{"channel":"a","to":"bob","body":"`+big+`"}`), rpc.CodeTooLarge},
	}} {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				r.over(t, user, func(ws *websocket.Conn) {
					a, text := answerOf(t, ws, c.frame)
					if a.Error == nil || a.Error.Code != c.code || string(a.ID) != "7" {
						t.Errorf("%.200s is answered %.300s, want %d", c.frame, text, c.code)
					}
				})
			})
		}
	}
}

// Whoever is granted nothing gets 1002 for every use of a channel, with the
// action that is missing, whether or not the channel exists.
func TestBadUsesWithoutAGrant(t *testing.T) {
	t.Parallel()
	r := newBadRig(t, withAuth, func(cfg *Config) {
		cfg.Edge.Upgrades, cfg.Limits.Rate, cfg.Limits.Joins, cfg.Limits.Chats = -1, -1, -1, -1
	})
	grants := map[string]string{
		"nothing": `[]`, "another channel": `[{"channels":["b"],"allow":["*"]}]`, "a channel in capitals": `[{"channels":["A"],"allow":["*"]}]`, "no action": `[{"channels":["*"],"allow":[]}]`, "unknown actions": `[{"channels":["*"],"allow":["admin","api","all"]}]`,
		"one's own": `[{"channels":["{user}"],"allow":["*"]}]`, "an escaped star": `[{"channels":["\\*"],"allow":["*"]}]`, "more than the name": `[{"channels":["a?*"],"allow":["*"]}]`,
	}
	for granted, text := range grants {
		token := rigToken(t, "eve", jwt.MapClaims{"parley": map[string]any{"grants": jsonOf(text)}})
		for name, params := range channelRequests {
			missing := "join"
			if strings.Contains(granted, "action") { // the channel is granted, and nothing in it
				missing = actionOf[name]
			}
			t.Run(name+" with a grant of "+granted, func(t *testing.T) {
				r.over(t, "", func(ws *websocket.Conn) {
					if answer := answerTo(t, ws, helloWith(token)); !strings.Contains(answer, `"result"`) {
						t.Fatalf("hello is answered %s", answer)
					}
					a, text := answerOf(t, ws, requestFor(methodOf(name), params))
					if a.Error == nil || a.Error.Code != rpc.CodeForbidden || a.Error.Data == nil || a.Error.Data.Action != missing || a.Error.Data.Channel != "a" {
						t.Errorf("it is answered %s, want %d for %s in a", text, rpc.CodeForbidden, missing)
					}
				})
			})
		}
	}
}

// What comes after the end of a session, or is too much of it, is not answered.
func TestBadEnds(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	text := func(frame string) string { return frameOf(fin|wstest.Text, frame) }
	bye := frameOf(fin|wstest.Close, "\x03\xe8")
	hello := text(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"ada"}}`)
	quiet := `{"jsonrpc":"2.0","method":"ping"}`
	for name, c := range map[string]struct {
		frames  string
		answers int
		code    int
	}{
		"a ping after the close frame":          {hello + bye + text(ping), 1, 1000},
		"a hello after the close frame":         {bye + hello, 0, 1000},
		"a chat after the close frame":          {hello + bye + text(requestFor("chat", `{"channel":"a","body":"x"}`)), 1, 1000},
		"a second close frame":                  {hello + bye + bye, 1, 1000},
		"noise after the close frame":           {hello + bye + "\xff\xff\xff", 1, 1000},
		"a WebSocket ping after it":             {bye + frameOf(fin|wstest.Ping, "x"), 0, 1000},
		"a close frame within a message":        {hello + frameOf(wstest.Text, "{") + bye, 1, 1000},
		"a notification before hello":           {text(quiet) + bye, 0, 1000},
		"a bad notification":                    {hello + text(`{"jsonrpc":"2.0","method":"join","params":{"channel":7}}`) + bye, 1, 1000},
		"an unknown notification":               {hello + text(`{"jsonrpc":"2.0","method":"nothing"}`) + bye, 1, 1000},
		"a notification by position":            {hello + text(`{"jsonrpc":"2.0","method":"ping","params":[1]}`) + bye, 1, 1000},
		"a hello without an id":                 {text(`{"jsonrpc":"2.0","method":"hello","params":{"user":"ada"}}`) + text(ping) + bye, 1, 1000},
		"101 frames that are not JSON":          {strings.Repeat(text("{"), 101), 100, rpc.CloseMisuse},
		"101 batches":                           {strings.Repeat(text("["+ping+"]"), 101), 100, rpc.CloseMisuse},
		"101 empty frames":                      {strings.Repeat(text(""), 101), 100, rpc.CloseMisuse},
		"101 requests before hello":             {strings.Repeat(text(ping), 101), 100, rpc.CloseMisuse},
		"101 notifications before hello":        {strings.Repeat(text(quiet), 101), 0, rpc.CloseMisuse},
		"50 malformed and 51 before hello":      {strings.Repeat(text("{"), 50) + strings.Repeat(text(ping), 51), 100, rpc.CloseMisuse},
		"101 malformed frames after hello":      {hello + strings.Repeat(text("{"), 101), 101, rpc.CloseMisuse},
		"101 params by position after hello":    {hello + strings.Repeat(text(`{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}`), 101), 101, rpc.CloseMisuse},
		"WebSocket pings in hundreds":           {strings.Repeat(frameOf(fin|wstest.Ping, ""), 300), 0, rpc.CloseMisuse},
		"WebSocket pings within a message":      {frameOf(wstest.Text, "{") + strings.Repeat(frameOf(fin|wstest.Ping, ""), 300), 0, rpc.CloseMisuse},
		"WebSocket pongs that nobody asked for": {hello + strings.Repeat(frameOf(fin|wstest.Pong, "x"), 300) + bye, 1, 1000},
		"empty fragments without end":           {frameOf(wstest.Text, "") + strings.Repeat(frameOf(0, ""), 60_000), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conn := r.dialRaw(t)
			go func() { _, _ = conn.Write([]byte(c.frames)) }()
			answers, code := 0, 0
			for {
				f, err := wstest.Read(conn)
				if err != nil {
					break
				}
				if f.First == fin|wstest.Text {
					answers++
				}
				code += f.Code()
			}
			if answers != c.answers || code != c.code {
				t.Errorf("%d answers and code %d, want %d and %d", answers, code, c.answers, c.code)
			}
			_ = conn.Close()
			r.unharmed(t)
		})
	}
}
