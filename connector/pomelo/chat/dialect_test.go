package chat

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/schema/rpc"
)

func testDialect(own bool) Dialect {
	o := &Options{Settings: Settings{Routes: DefaultRoutes()}}
	return o.dialect(pomelo.Bare, own)
}

// packaged is a push of a route as it is on the wire.
func packaged(route, body string) string {
	n := 2 + len(route) + len(body)
	return fmt.Sprintf("\x04%c%c%c\x06%c%s%s", n>>16, n>>8&255, n&255, len(route), route, body)
}

func TestPushes(t *testing.T) {
	public := rpc.Message{Channel: "r", Seq: 7, ID: "i", User: "ada", Body: "hi \U0001F600 \"é\"", Time: 12}
	private := public
	private.To, private.Body = "bob", "psst"
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"to all", testDialect(false).AppendChat(nil, &public, nil, 3),
			packaged("onChat", `{"msg":"hi \ud83d\ude00 \"é\"","from":"ada","target":"*","seq":7,"time":12}`)},
		{"private", testDialect(false).AppendChat(nil, &private, nil, 3),
			packaged("onChat", `{"msg":"psst","from":"ada","target":"bob","seq":7,"time":12}`)},
		{"in Parley's terms", testDialect(true).AppendChat(nil, &private, rpc.AppendMessage(nil, &private), 3),
			packaged("parley.chat", `{"channel":"r","seq":7,"id":"i","user":"ada","to":"bob","body":"psst","time":12,"prev":3}`)},
		{"came", testDialect(false).AppendPush(nil, rpc.PushJoined, rpc.JoinedPush{Channel: "r", Seq: 1, User: "ada", Time: 1}),
			packaged("onAdd", `{"route":"onAdd","user":"ada"}`)},
		{"left", testDialect(false).AppendPush(nil, rpc.PushLeft, rpc.LeftPush{Channel: "r", Seq: 1, User: "ada", Time: 1, Reason: "leave"}),
			packaged("onLeave", `{"route":"onLeave","user":"ada","reason":"leave"}`)},
		{"what there is no word for", testDialect(false).AppendPush(nil, rpc.PushPresence, rpc.PresencePush{Count: 3}), ""},
		{"that in Parley's terms", testDialect(true).AppendPush(nil, rpc.PushPresence, rpc.PresencePush{Channel: "r", Seq: 1, Count: 3}),
			packaged("parley.presence", `{"channel":"r","seq":1,"count":3}`)},
	} {
		if string(c.got) != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, hex.Dump(c.got), hex.Dump([]byte(c.want)))
		}
	}
}

func TestErrors(t *testing.T) {
	e := rpc.Unavailable(1000)
	if got, want := string(appendError(nil, e)),
		`{"code":500,"error":"unavailable","message":"unavailable: retry with the same id","parley":1007,"retry":1000}`; got != want {
		t.Errorf("an error is %s; want %s", got, want)
	}
	if got, want := string(appendOwnError(nil, e)),
		`{"code":500,"error":{"code":1007,"message":"unavailable: retry with the same id","data":{"retry":1000}},"message":"unavailable: retry with the same id","parley":1007}`; got != want {
		t.Errorf("in Parley's terms it is %s; want %s", got, want)
	}
	if got := string(appendTaken(nil)); !strings.HasPrefix(got, `{"code":500,"error":true,`) {
		t.Errorf("a user who is there already is told %s", got)
	}
}

func TestUsers(t *testing.T) {
	members := func(n, size int) (all []rpc.Member) {
		for i := range n {
			all = append(all, rpc.Member{User: fmt.Sprintf("%0*d", size, i)})
		}
		return all
	}
	for _, c := range []struct {
		name    string
		members []rpc.Member
		user    string
		users   int
	}{
		{"alone", []rpc.Member{{User: "ada"}}, "ada", 1},
		{"not yet known of", nil, "ada", 1},
		{"among the first", members(10, 4), "0003", 10},
		{"not among the first", members(2000, 4), "zoe", 1000},
		{"too many bytes", members(1000, 128), "zoe", 24<<10/131 + 1},
		{"names of four bytes", []rpc.Member{{User: strings.Repeat("\U0001F600", 32)}, {User: "zoe"}}, "zoe", 2},
	} {
		got := appendUsers(nil, c.members, c.user)
		if n := strings.Count(string(got), `"`)/2 - 1; n != c.users || !strings.Contains(string(got), `"`+c.user+`"`) || onWire(got) > usersBytes+64 {
			t.Errorf("%s: %d users in %d bytes; want %d, %s among them", c.name, n, onWire(got), c.users, c.user)
		}
	}
	if got, want := string(appendUsers(nil, []rpc.Member{{User: "a"}, {User: "b"}}, "b")), `{"users":["a","b"]}`; got != want {
		t.Errorf("the answer is %s; want %s", got, want)
	}
}

func TestEntry(t *testing.T) {
	for _, c := range []struct{ entry, host, want string }{
		{"", "chat.example.com:3014", `{"code":200,"host":"chat.example.com","port":3014}`},
		{"", "[::1]:3014", `{"code":200,"host":"::1","port":3014}`},
		{"c.example.com:3050", "chat.example.com:3014", `{"code":200,"host":"c.example.com","port":3050}`},
	} {
		o := Options{Settings: Settings{Entry: c.entry}}
		if got := string(o.entryBody(c.host)); got != c.want {
			t.Errorf("entry %q, host %q: %s; want %s", c.entry, c.host, got, c.want)
		}
	}
	if got := string((&Options{}).entryBody(":3014")); !strings.HasPrefix(got, `{"code":500`) {
		t.Errorf("without a host it is %s", got)
	}
}
