package tests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
)

// said is a line of a driver in testdata/pomelo: what a library called back with.
type said struct {
	Connected, Closed bool
	N                 int
	Answer            json.RawMessage
	Push              string
	Body              json.RawMessage
	Kick              json.RawMessage
	Error             string
}

// pushed is the body of a push of the chat.
type pushed struct {
	Msg, From, Target, User string
	Seq                     int64
	History                 bool
}

// guest is a client of pomelo that others wrote, in a process of its own.
type guest struct {
	t       *testing.T
	library string
	name    string
	in      *json.Encoder
	cmd     *exec.Cmd
	asked   int

	mu    sync.Mutex
	heard []said
	read  int // of heard
}

// newGuest starts a driver: of npm's libraries or, for pypomelo, of PyPI's.
func newGuest(t *testing.T, library, name string) *guest {
	t.Helper()
	g := &guest{t: t, library: library, name: name}
	if g.cmd = exec.Command("node", "testdata/pomelo/client.js", library); library == "pypomelo" {
		g.cmd = exec.Command("python3", "testdata/pomelo/client.py")
		g.cmd.Env = append(os.Environ(), "PYTHONPATH="+os.Getenv("PARLEY_TEST_POMELO"))
	}
	in, err := g.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errors := new(output)
	g.cmd.Stderr = errors
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.in = json.NewEncoder(in)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.listen(bufio.NewScanner(out))
	}()
	t.Cleanup(func() {
		_ = in.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			_ = g.cmd.Process.Kill()
			<-ended
		}
		_ = g.cmd.Wait()
		if t.Failed() {
			t.Logf("%s by %s heard %s\nand wrote\n%s", name, library, g.all(), errors)
		}
	})
	return g
}

func (g *guest) listen(lines *bufio.Scanner) {
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			s.Error = err.Error()
		}
		g.mu.Lock()
		g.heard = append(g.heard, s)
		g.mu.Unlock()
	}
}

func (g *guest) all() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	text, _ := json.Marshal(g.heard)
	return string(text)
}

func (g *guest) do(command map[string]any) {
	g.t.Helper()
	if err := g.in.Encode(command); err != nil {
		g.t.Fatal(err)
	}
}

// next is the next thing heard that is wanted; what comes before it is skipped.
func (g *guest) next(what string, wanted func(said) bool) (found said) {
	g.t.Helper()
	await.That(g.t, g.name+" by "+g.library+" hears "+what, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		for g.read < len(g.heard) {
			s := g.heard[g.read]
			g.read++
			if wanted(s) {
				found = s
				return true
			}
		}
		return false
	})
	return found
}

// connect connects to a host:port.
func (g *guest) connect(at string, more map[string]any) {
	g.t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		g.t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	command := map[string]any{"do": "connect", "host": host, "port": n}
	for key, value := range more {
		command[key] = value
	}
	g.do(command)
	g.next("that it is connected", func(s said) bool { return s.Connected })
}

// ask asks, and returns the answer.
func (g *guest) ask(route string, body any) (answer map[string]any) {
	g.t.Helper()
	g.asked++
	n := g.asked
	g.do(map[string]any{"do": "request", "n": n, "route": route, "body": body})
	from := g.read
	s := g.next("an answer of "+route, func(s said) bool { return s.N == n })
	g.read = from // pushes may have come before it
	if err := json.Unmarshal(s.Answer, &answer); err != nil {
		g.t.Fatalf("%s: %s: %v", route, s.Answer, err)
	}
	return answer
}

// enter goes by the gate into a room, and returns who is there.
func (g *guest) enter(gate, room string, more map[string]any) []string {
	g.t.Helper()
	g.connect(gate, map[string]any{"protos": more["protos"]})
	at := g.ask("gate.gateHandler.queryEntry", map[string]any{"uid": g.name})
	g.do(map[string]any{"do": "disconnect"})
	host, port := at["host"].(string), at["port"].(float64)
	if at := net.JoinHostPort(host, fmt.Sprint(port)); at != gate {
		g.t.Errorf("the gate at %s sends clients to %s", gate, at)
	}
	g.connect(net.JoinHostPort(host, fmt.Sprint(port)), more)
	return g.goIn(room)
}

func (g *guest) goIn(room string) (users []string) {
	g.t.Helper()
	answer := g.ask("connector.entryHandler.enter", map[string]any{"username": g.name, "rid": room})
	for _, user := range answer["users"].([]any) {
		users = append(users, user.(string))
	}
	return users
}

// says sends a message, and returns its seq.
func (g *guest) says(content, target string) int64 {
	g.t.Helper()
	answer := g.ask("chat.chatHandler.send", map[string]any{"rid": "lobby", "from": g.name, "content": content, "target": target})
	if answer["code"] != 200.0 {
		g.t.Fatalf("%s by %s sends, and is answered %v", g.name, g.library, answer)
	}
	return int64(answer["seq"].(float64))
}

// sees is the next push of a route.
func (g *guest) sees(route string) (p pushed) {
	g.t.Helper()
	s := g.next(route, func(s said) bool { return s.Push == route })
	if err := json.Unmarshal(s.Body, &p); err != nil {
		g.t.Fatalf("%s: %v", s.Body, err)
	}
	return p
}

// Clients of pomelo that others wrote, as they are published, chat with each other
// and with a client of the JSON-RPC protocol over two connectors, one of which is
// killed and comes back, and then stopped.
func TestPomeloClients(t *testing.T) {
	if os.Getenv("PARLEY_TEST_POMELO") == "" {
		t.Skip("make test-pomelo runs it, with clients from npm and PyPI")
	}
	embeddedtest.NeedEngine(t)
	var at []string
	flags := func(int) []string {
		at = append(at, freeport.AddressFor(t))
		return []string{"--pomelo", at[len(at)-1]}
	}
	r := startRolesWith(t, flags)
	ada, bob := newGuest(t, "official", "ada"), newGuest(t, "multi", "bob")
	carl, dora := newGuest(t, "pinus", "carl"), newGuest(t, "pypomelo", "dora")
	guests := []*guest{ada, bob, carl, dora}
	eve := enter(t, r.urls[0], "eve")
	eve.join("lobby")
	there := []string{"eve"}
	for i, g := range guests {
		there = append(there, g.name)
		slices.Sort(there)
		if users := g.enter(at[i%2], "lobby", settled[g.library]); !slices.Equal(users, there) {
			t.Errorf("%s enters, and finds %v; want %v", g.name, users, there)
		}
		for _, o := range guests[:i] {
			if p := o.sees("onAdd"); p.User != g.name {
				t.Errorf("%s is told that %s came; want %s", o.name, p.User, g.name)
			}
		}
	}
	everybodyTalks(t, guests, eve)
	whispers(t, ada, bob, dora, eve)
	for _, g := range guests {
		if answer := g.ask("chat.chatHandler.nothing", map[string]any{}); answer["code"] != 500.0 || answer["parley"] != -32601.0 || answer["message"] == "" {
			t.Errorf("%s by %s asks a route that there is none of, and gets %v", g.name, g.library, answer)
		}
	}

	r.connectors[0].signal(syscall.SIGKILL)
	for _, g := range []*guest{ada, carl} {
		g.next("that it was cut", func(s said) bool { return s.Closed })
	}
	missed := bob.says("while they were away", "*")
	for _, g := range []*guest{bob, dora} {
		if p := g.sees("onChat"); p.Seq != missed {
			t.Errorf("%s sees %+v", g.name, p)
		}
	}
	start(t, r.connectors[0].cmd.Args[1:]...)
	served(t, strings.TrimSuffix(strings.TrimPrefix(r.urls[0], "ws://"), "/ws"))
	ada.next("that it is back by itself", func(s said) bool { return s.Connected })
	carl.connect(at[0], nil)
	for _, g := range []*guest{ada, carl} {
		if users := g.goIn("lobby"); !slices.Contains(users, "dora") || !slices.Contains(users, g.name) {
			t.Errorf("%s is back, and finds %v", g.name, users)
		}
		p := g.sees("onChat")
		for before := int64(0); p.Seq != missed; p = g.sees("onChat") {
			if !p.History || p.Seq <= before {
				t.Fatalf("%s is back, and sees %+v after seq %d", g.name, p, before)
			}
			before = p.Seq
		}
		if !p.History || p.Msg != "while they were away" || p.From != "bob" {
			t.Errorf("%s is back, and sees %+v", g.name, p)
		}
	}
	eve = enter(t, r.urls[0], "eve")
	eve.join("lobby")
	everybodyTalks(t, guests, eve)

	theExampleAnswers(t, at[1], bob)

	r.connectors[1].signal(syscall.SIGTERM)
	for _, g := range []*guest{bob, dora} {
		g.next("a kick", func(s said) bool { return s.Kick != nil })
		g.next("that it is closed", func(s said) bool { return s.Closed })
	}
}

// settled are the settings of libraries that come back by themselves. The official
// one begins with what an old server left in its browser: definitions by which it
// could neither send nor understand a message.
var settled = map[string]map[string]any{
	"official": {"reconnect": true, "protos": map[string]any{
		"version": "old",
		"client":  map[string]any{"chat.chatHandler.send": chatProto},
		"server":  map[string]any{"onChat": chatProto},
	}},
}

var chatProto = map[string]any{
	"msg":        map[string]any{"option": "required", "type": "string", "tag": 1},
	"__messages": map[string]any{}, "__tags": map[string]any{"1": "msg"},
}

// everybodyTalks has all say something, and all hear all of it in one order.
func everybodyTalks(t *testing.T, guests []*guest, eve *user) {
	t.Helper()
	for range 3 {
		for _, g := range guests {
			text := "é \U0001F600 of " + g.name
			seq := g.says(text, "*")
			for _, o := range guests {
				if p := o.sees("onChat"); p.Seq != seq || p.Msg != text || p.From != g.name || p.Target != "*" || p.History {
					t.Fatalf("%s sees %+v; want %q at %d", o.name, p, text, seq)
				}
			}
			if m := eve.hears(); m.Seq != seq || m.Body != text || m.User != g.name {
				t.Fatalf("eve hears %+v; want %q at %d", m, text, seq)
			}
		}
		seq := eve.chat("lobby", "\U0001F600 of eve").Seq
		for _, o := range guests {
			if p := o.sees("onChat"); p.Seq != seq || p.Msg != "\U0001F600 of eve" || p.From != "eve" {
				t.Fatalf("%s sees %+v of eve's at %d", o.name, p, seq)
			}
		}
		if m := eve.hears(); m.Seq != seq {
			t.Fatalf("eve hears %+v", m)
		}
	}
}

// whispers has private messages reach those whom they are for alone, and not who
// has sent them.
func whispers(t *testing.T, ada, bob, dora *guest, eve *user) {
	t.Helper()
	secret := ada.says("psst", "dora")
	eve.chatWith(rpc.ChatParams{Channel: "lobby", Body: "psst, bob", To: "bob"})
	public := ada.says("aloud", "*")
	if p := dora.sees("onChat"); p.Seq != secret || p.Msg != "psst" || p.Target != "dora" {
		t.Errorf("dora sees %+v", p)
	}
	if p := bob.sees("onChat"); p.Msg != "psst, bob" || p.Target != "bob" || p.From != "eve" {
		t.Errorf("bob sees %+v", p)
	}
	for _, g := range []*guest{ada, bob, dora} {
		if p := g.sees("onChat"); p.Seq != public {
			t.Errorf("%s sees %+v; want the message to all", g.name, p)
		}
	}
}

// theExampleAnswers has the example's bot answer.
func theExampleAnswers(t *testing.T, at string, bob *guest) {
	t.Helper()
	packages, err := filepath.Abs("testdata/pomelo/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	bot := exec.Command("node", filepath.Join(root, "examples", "pomelo-bot", "bot.js"), at, "lobby")
	bot.Env = append(os.Environ(), "NODE_PATH="+packages)
	said := new(output)
	bot.Stdout, bot.Stderr = said, said
	if err := bot.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = bot.Process.Kill()
		_ = bot.Wait()
	}()
	await.That(t, "the bot has entered", func() bool { return strings.Contains(said.String(), "entered lobby with") })
	for _, target := range []string{"*", "pomelo-bot"} {
		bob.says("!echo it works", target)
		p := bob.sees("onChat")
		for p.From != "pomelo-bot" {
			p = bob.sees("onChat")
		}
		want := "*"
		if target != "*" {
			want = "bob"
		}
		if p.Msg != "it works" || p.Target != want {
			t.Errorf("the bot answers %+v to a message to %s", p, target)
		}
	}
}
