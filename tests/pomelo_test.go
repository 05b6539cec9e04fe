package tests

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// pomelos starts a cluster whose one connector has an address for clients of pomelo.
func pomelos(t *testing.T, change func(*connector.Config)) (c *cluster, at *role) {
	c = newCluster(t)
	c.worker()
	c.projector()
	return c, c.connector(withPomelo(change))
}

func TestPomeloChat(t *testing.T) {
	_, at := pomelos(t, nil)
	ada, bob := guestAt(t, at.pomelo, "ada"), guestAt(t, at.pomelo, "bob")
	if got := fmt.Sprint(ada.enter("r")); got != "map[users:[ada]]" {
		t.Fatalf("the first to enter is answered %s", got)
	}
	if got := fmt.Sprint(bob.enter("r")); got != "map[users:[ada bob]]" {
		t.Fatalf("the second to enter is answered %s", got)
	}
	ada.sees("onAdd bob")
	for i, text := range []string{"one", "two \U0001F600", "three"} {
		if r := ada.send(text, "*"); r["code"] != 200.0 || r["seq"] == nil || r["time"] == nil {
			t.Fatalf("message %d is answered %v", i, r)
		}
	}
	ada.sees("ada to *: one", "ada to *: two \U0001F600", "ada to *: three")
	bob.sees("ada to *: one", "ada to *: two \U0001F600", "ada to *: three")

	// Privately: not to who sends it, but to the same user's other connections, and to
	// oneself where it is for oneself.
	tablet := guestAt(t, at.pomelo, "ada")
	if got := fmt.Sprint(tablet.enter("r")); got != "map[users:[ada bob]]" {
		t.Fatalf("a second connection of ada's is answered %s", got)
	}
	tablet.sees("before: ada to *: one", "before: ada to *: two \U0001F600", "before: ada to *: three")
	ada.send("psst", "bob")
	ada.send("note", "ada")
	ada.send("aloud", "*")
	bob.sees("ada to bob: psst", "ada to *: aloud")
	tablet.sees("ada to bob: psst", "ada to ada: note", "ada to *: aloud")
	ada.sees("ada to ada: note", "ada to *: aloud")

	// A second enter leaves the first room.
	if got := fmt.Sprint(bob.enter("other")); got != "map[users:[bob]]" {
		t.Fatalf("bob goes elsewhere, and is answered %s", got)
	}
	ada.sees("onLeave bob leave")
	bob.send("here", "*")
	bob.sees("bob to *: here")
	if got := fmt.Sprint(bob.enter("other")); got != "map[users:[bob]]" {
		t.Fatalf("bob enters again, and is answered %s", got)
	}
	bob.send("there", "*")
	bob.sees("bob to *: there")

	// A notify is carried out, and not answered.
	bob.write(4, append([]byte("\x02\x15chat.chatHandler.send"), `{"content":"by notify","target":"*"}`...))
	bob.sees("bob to *: by notify")
}

func TestBadPomeloRequests(t *testing.T) {
	_, at := pomelos(t, nil)
	ada, zoe := guestAt(t, at.pomelo, "ada"), guestAt(t, at.pomelo, "zoe")
	ada.enter("r")
	for _, c := range []struct {
		name        string
		guest       *tcpGuest
		route, body string
		code        float64
		word        string
	}{
		{"send before enter", zoe, "chat.chatHandler.send", `{"content":"hi","target":"*"}`, 1003, "not_entered"},
		{"enter without a name", zoe, "connector.entryHandler.enter", `{"rid":"r"}`, -32602, "invalid"},
		{"enter without a room", zoe, "connector.entryHandler.enter", `{"username":"zoe"}`, -32602, "invalid"},
		{"enter with a number", zoe, "connector.entryHandler.enter", `{"username":"zoe","rid":7}`, -32602, "invalid"},
		{"Parley's terms before hello", zoe, "parley.rpc.join", `{"channel":"r"}`, 1001, ""},
		{"another name", ada, "connector.entryHandler.enter", `{"username":"bob","rid":"r"}`, 1002, "forbidden"},
		{"no target", ada, "chat.chatHandler.send", `{"content":"hi"}`, -32602, "invalid"},
		{"no content", ada, "chat.chatHandler.send", `{"target":"*"}`, -32602, "invalid"},
		{"content that is not a text", ada, "chat.chatHandler.send", `{"content":{"a":1},"target":"*"}`, -32602, "invalid"},
		{"too long", ada, "chat.chatHandler.send", `{"content":"` + strings.Repeat("x", 5000) + `","target":"*"}`, 1006, "too_large"},
		{"no such route", ada, "chat.chatHandler.nothing", `{}`, -32601, "no_route"},
		{"a route without a dot", ada, "hello", `{"user":"ada"}`, -32601, "no_route"},
		{"a method as a route", ada, "join", `{"channel":"other"}`, -32601, "no_route"},
		{"no such method", ada, "parley.rpc.nothing", `{}`, -32601, ""},
		{"a name twice", ada, "chat.chatHandler.send", `{"content":"a","content":"b","target":"*"}`, -32602, "invalid"},
		{"no uid", ada, "gate.gateHandler.queryEntry", `{}`, -32602, "invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.guest.ask(c.route, c.body)
			if r["code"] != 500.0 || r["parley"] != c.code || r["message"] == "" || c.word != "" && r["error"] != c.word {
				t.Errorf("it is answered %v; want %v, %s", r, c.code, c.word)
			}
		})
	}
	ada.send("still here", "*")
	ada.sees("ada to *: still here")
}

// What a user has missed while the connection was cut is shown again, and only that;
// who leaves on purpose begins with the newest messages.
func TestPomeloRecovery(t *testing.T) {
	_, at := pomelos(t, nil)
	bob := guestAt(t, at.pomelo, "bob")
	bob.enter("r")
	deadline := time.Now().Add(patience)
	for i := 0; ; i++ {
		ada := guestAt(t, at.pomelo, "ada")
		ada.enter("r")
		seen, missed := fmt.Sprint("seen ", i), fmt.Sprint("missed ", i)
		bob.send(seen, "*")
		ada.next(seen, func(p packet) bool { return p.body["msg"] == seen })
		for range 2 * (i + 4) { // so that it is known how far ada has been pushed
			time.Sleep(500 * time.Millisecond)
			ada.write(3, nil)
		}
		_ = ada.conn.(*net.TCPConn).SetLinger(0)
		_ = ada.conn.Close()
		bob.send(missed, "*")
		ada = guestAt(t, at.pomelo, "ada")
		ada.enter("r")
		first := ada.pushed()
		if shortly(first) == "before: bob to *: "+missed {
			bob.send("live", "*")
			ada.sees("bob to *: live")
			_ = ada.conn.Close() // in order
			break
		}
		if first.body["history"] != true {
			t.Fatalf("ada is back, and sees %v", first)
		}
		_ = ada.conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("ada is always shown what she has seen")
		}
	}
	ada := guestAt(t, at.pomelo, "ada")
	ada.enter("r")
	ada.sees("before: bob to *: seen 0")
}

func TestPomeloSingle(t *testing.T) {
	_, at := pomelos(t, func(cfg *connector.Config) { cfg.Pomelo.Single = true })
	ada, tablet := guestAt(t, at.pomelo, "ada"), guestAt(t, at.pomelo, "ada")
	ada.enter("r")
	if r := tablet.enter("r"); r["code"] != 500.0 || r["error"] != true {
		t.Fatalf("a user who is there already is answered %v", r)
	}
	if r := tablet.send("hi", "*"); r["parley"] != 1003.0 {
		t.Fatalf("who was refused sends, and is answered %v", r)
	}
	if r := ada.enter("r"); r["users"] == nil {
		t.Fatalf("who is there enters again, and is answered %v", r)
	}
	_ = ada.conn.Close()
	await.That(t, "the place is free", func() bool { return tablet.enter("r")["users"] != nil })
}

func TestPomeloTokens(t *testing.T) {
	_, at := pomelos(t, unlimited(nil))
	token := grantsToken(t, "ada", allowing("r", `"*"`))
	bad := dialPomelo(t, at.pomelo, "bad", `{"token":"nonsense"}`)
	bad.shaken(500)
	await.That(t, "a connection with a bad token ends", func() bool {
		bad.mu.Lock()
		defer bad.mu.Unlock()
		return bad.ended
	})
	ada := dialPomelo(t, at.pomelo, "ada", `{"token":"`+token+`"}`)
	ada.shaken(200)
	if got := fmt.Sprint(ada.enter("r")); got != "map[users:[ada]]" {
		t.Errorf("ada enters, and is answered %s", got)
	}
	if r := ada.enter("other"); r["parley"] != 1002.0 {
		t.Errorf("a room that is not granted is answered %v", r)
	}
	gate := guestAt(t, at.pomelo, "ada")
	if r := gate.ask("gate.gateHandler.queryEntry", `{"uid":"ada"}`); r["code"] != 200.0 {
		t.Errorf("without a token the gate answers %v", r)
	}
	if r := gate.enter("r"); r["code"] != 500.0 || r["parley"] != 1001.0 {
		t.Errorf("without a token a room answers %v", r)
	}
	if r := gate.ask("connector.entryHandler.enter", `{"username":"ada","rid":"r","token":"`+token+`"}`); r["users"] == nil {
		t.Errorf("a token that comes with enter is answered %v", r)
	}
}

// A moderator's kick puts a user out of the room, not off the connection.
func TestPomeloModeration(t *testing.T) {
	_, at := pomelos(t, unlimited(nil))
	mod := moderatorOf(t, at.addr, "mod", "r")
	ada := dialPomelo(t, at.pomelo, "ada", `{"token":"`+grantsToken(t, "ada", allowing("r", `"*"`))+`"}`)
	ada.shaken(200)
	ada.enter("r")
	mod.does(rpc.MethodMute, map[string]any{"channel": "r", "user": "ada"})
	if r := ada.send("hi", "*"); r["parley"] != 1009.0 || r["error"] != "sanctioned" {
		t.Errorf("who is muted is answered %v", r)
	}
	mod.does(rpc.MethodKick, map[string]any{"channel": "r", "user": "ada"})
	ada.sees("onLeave ada kicked")
	if r := ada.send("hi", "*"); r["parley"] != 1003.0 {
		t.Errorf("who was put out is answered %v", r)
	}
	if r := ada.enter("r"); r["users"] == nil {
		t.Errorf("who was kicked comes back, and is answered %v", r)
	}
}

// Everything that the documented protocol has is there as routes of Parley's own.
func TestParleyOverPomelo(t *testing.T) {
	_, at := pomelos(t, nil)
	eve := enter(t, at.addr, "eve")
	eve.join("r")
	ada := guestAt(t, at.pomelo, "ada")
	hello := ada.ask("parley.rpc.hello", `{"user":"ada"}`)
	if limits, _ := hello["limits"].(map[string]any); hello["user"] != "ada" || limits["page"] != float64(32<<10) {
		t.Fatalf("hello is answered %v", hello)
	}
	joined := ada.ask("parley.rpc.join", `{"channel":"r"}`)
	if joined["channel"] != "r" || joined["count"] != 2.0 {
		t.Fatalf("join is answered %v", joined)
	}
	sent := ada.ask("parley.rpc.chat", `{"channel":"r","body":"hi","to":"eve","id":"mine"}`)
	if sent["id"] != "mine" {
		t.Fatalf("chat is answered %v", sent)
	}
	if p := ada.pushed(); p.route != "parley.chat" || p.body["body"] != "hi" || p.body["prev"] != 0.0 || p.body["seq"] != sent["seq"] {
		t.Errorf("the message is pushed as %v", p)
	}
	eve.chat("r", strings.Repeat("x", 4000))
	if p := ada.pushed(); p.route != "parley.chat" {
		t.Errorf("eve's message is pushed as %v", p)
	}
	for range 10 {
		eve.chat("r", strings.Repeat("x", 4000))
		ada.pushed()
	}
	page := ada.ask("parley.rpc.history", `{"channel":"r"}`)
	if messages, _ := page["messages"].([]any); page["more"] != true || len(messages) == 0 || len(messages) > 4 {
		t.Errorf("a page has %d messages, more is %v", len(messages), page["more"])
	}
	if r := ada.ask("parley.rpc.leave", `{"channel":"nowhere"}`); r["code"] != 500.0 || r["error"].(map[string]any)["code"] != 1003.0 {
		t.Errorf("an error is %v", r)
	}
}

// A planned stop kicks, and says that one may come back.
func TestPomeloDrain(t *testing.T) {
	_, at := pomelos(t, nil)
	ada := guestAt(t, at.pomelo, "ada")
	ada.enter("r")
	at.stop()
	if p := ada.next("a kick", func(p packet) bool { return p.kind == 5 }); p.body["reconnect"] != true || p.body["reason"] == nil {
		t.Errorf("the kick says %v", p.body)
	}
}
