package tests

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/internal/testing/await"
)

// withPomelo is a connector with an address for clients of pomelo.
func withPomelo(change func(*connector.Config)) func(*connector.Config) {
	return func(cfg *connector.Config) {
		cfg.Pomelo = &connector.Pomelo{Listen: "127.0.0.1:0", Settings: chat.Settings{Routes: chat.DefaultRoutes(), History: chat.DefaultHistory}}
		if change != nil {
			change(cfg)
		}
	}
}

// packet is what a server sends to a client of pomelo.
type packet struct {
	kind  byte   // of the package
	id    byte   // of a response; 0: it is something else
	route string // of a push
	body  map[string]any
}

// tcpGuest is a client of pomelo over TCP, made of bytes.
type tcpGuest struct {
	t    *testing.T
	name string
	conn net.Conn
	ids  byte

	mu    sync.Mutex
	heard []packet
	read  int
	ended bool
}

// dialPomelo connects, and makes the handshake with something for the application.
func dialPomelo(t *testing.T, at, name, user string) *tcpGuest {
	t.Helper()
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	g := &tcpGuest{t: t, name: name, conn: conn}
	t.Cleanup(func() { _ = conn.Close() })
	go g.listen()
	g.write(1, []byte(`{"sys":{"type":"socket","version":"1"},"user":`+user+`}`))
	return g
}

// guestAt is one who is connected.
func guestAt(t *testing.T, at, name string) *tcpGuest {
	t.Helper()
	g := dialPomelo(t, at, name, "{}")
	g.shaken(200.0)
	return g
}

func (g *tcpGuest) shaken(code float64) {
	g.t.Helper()
	if p := g.next("the handshake's answer", func(p packet) bool { return p.kind == 1 }); p.body["code"] != code {
		g.t.Fatalf("the handshake is answered %v; want %v", p.body, code)
	}
	if code == 200 {
		g.write(2, nil)
		g.next("a heartbeat", func(p packet) bool { return p.kind == 3 })
	}
}

func (g *tcpGuest) write(kind byte, body []byte) {
	head := binary.BigEndian.AppendUint32(nil, uint32(kind)<<24|uint32(len(body)))
	_, _ = g.conn.Write(append(head, body...)) // a connection that has ended is noticed by who reads
}

func (g *tcpGuest) listen() {
	for {
		var head [4]byte
		_, err := io.ReadFull(g.conn, head[:])
		body := make([]byte, binary.BigEndian.Uint32(head[:])&0xffffff)
		if err == nil {
			_, err = io.ReadFull(g.conn, body)
		}
		g.mu.Lock()
		if err != nil {
			g.ended = true
			g.mu.Unlock()
			return
		}
		g.heard = append(g.heard, parsePacket(head[0], body))
		g.mu.Unlock()
	}
}

func parsePacket(kind byte, body []byte) packet {
	p := packet{kind: kind}
	if kind == 4 {
		switch n := int(body[1]); body[0] {
		case 4:
			p.id, body = body[1], body[2:]
		case 6:
			p.route, body = string(body[2:2+n]), body[2+n:]
		}
	}
	if len(body) > 0 && json.Unmarshal(body, &p.body) != nil {
		p.body = map[string]any{"unreadable": string(body)}
	}
	return p
}

// next is the next package that is wanted; what comes before it is skipped.
func (g *tcpGuest) next(what string, wanted func(packet) bool) (found packet) {
	g.t.Helper()
	await.That(g.t, g.name+" gets "+what, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		for g.read < len(g.heard) {
			g.read++
			if found = g.heard[g.read-1]; wanted(found) {
				return true
			}
		}
		return false
	})
	return found
}

// ask asks, and returns the answer. What was pushed before it is still to be read.
func (g *tcpGuest) ask(route, body string) map[string]any {
	g.t.Helper()
	g.ids = g.ids%100 + 1
	id, from := g.ids, g.read
	g.write(4, slices.Concat([]byte{0, id, byte(len(route))}, []byte(route), []byte(body)))
	p := g.next("an answer of "+route+" "+body, func(p packet) bool { return p.id == id })
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.heard[from:], func(p packet) bool { return p.id == id })
	g.heard, g.read = slices.Delete(g.heard, from+i, from+i+1), from
	return p.body
}

func (g *tcpGuest) enter(room string) map[string]any {
	g.t.Helper()
	return g.ask("connector.entryHandler.enter", fmt.Sprintf(`{"username":%q,"rid":%q}`, g.name, room))
}

func (g *tcpGuest) send(content, target string) map[string]any {
	g.t.Helper()
	return g.ask("chat.chatHandler.send", fmt.Sprintf(`{"content":%q,"target":%q}`, content, target))
}

// pushed is the next push, of whatever route.
func (g *tcpGuest) pushed() packet {
	g.t.Helper()
	return g.next("a push", func(p packet) bool { return p.route != "" })
}

// sees reads pushes, each written as route, who, and text.
func (g *tcpGuest) sees(want ...string) {
	g.t.Helper()
	for _, w := range want {
		if got := shortly(g.pushed()); got != w {
			g.t.Errorf("%s sees %q; want %q", g.name, got, w)
		}
	}
}

func shortly(p packet) string {
	switch {
	case p.route == "onChat" && p.body["history"] == true:
		return fmt.Sprintf("before: %v to %v: %v", p.body["from"], p.body["target"], p.body["msg"])
	case p.route == "onChat":
		return fmt.Sprintf("%v to %v: %v", p.body["from"], p.body["target"], p.body["msg"])
	case p.body["reason"] != nil:
		return fmt.Sprintf("%s %v %v", p.route, p.body["user"], p.body["reason"])
	default:
		return fmt.Sprintf("%s %v", p.route, p.body["user"])
	}
}
