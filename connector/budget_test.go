package connector

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// served is an incarnation without log and history, with real sockets.
type served struct {
	t    *testing.T
	inc  *incarnation
	addr string
}

func serveAlone(t *testing.T, change func(*incarnation)) *served {
	t.Helper()
	return serveOver(t, nil, change)
}

// serveOver is serveAlone over TLS with a certificate, or without for nil.
func serveOver(t *testing.T, certificate *trust.Served, change func(*incarnation)) *served {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{Listener: ln, Certificate: certificate})
	if err != nil {
		t.Fatal(err)
	}
	inc := newIncarnation(&c.cfg, epoch.Log{Partitions: 1, Window: 100}, nil, nil)
	ctx, cancel := context.WithCancel(context.Background())
	inc.ctx, inc.shared.Queues = ctx, c.queues
	if change != nil {
		change(inc)
	}
	inc.edge = c.edge
	c.current.Store(inc)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.server.Serve(ln)
	}()
	t.Cleanup(func() {
		for _, s := range inc.sessions.list() {
			s.mu.Lock()
			clear(s.places) // there is no log to take leaves
			s.mu.Unlock()
			connOf(s).Abort()
		}
		cancel()
		inc.work.Wait()
		_ = c.server.Close()
		<-done
	})
	return &served{t, inc, ln.Addr().String()}
}

// enter connects a user, who is a member of the channels.
func (v *served) enter(user string, channels ...*channel) (*websocket.Conn, *session) {
	v.t.Helper()
	return v.enterBy(websocket.DefaultDialer, user, channels...)
}

func (v *served) enterBy(dialer *websocket.Dialer, user string, channels ...*channel) (*websocket.Conn, *session) {
	v.t.Helper()
	scheme := "ws"
	if dialer.TLSClientConfig != nil {
		scheme = "wss"
	}
	ws, _, err := dialer.Dial(scheme+"://"+v.addr+"/ws", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { ws.Close() })
	v.ask(ws, `{"jsonrpc":"2.0","id":0,"method":"hello","params":{"user":"`+user+`"}}`)
	if _, _, err := ws.ReadMessage(); err != nil {
		v.t.Fatal(err)
	}
	var s *session
	for _, o := range v.inc.sessions.list() {
		o.mu.Lock()
		if o.user == user && len(o.places) == 0 {
			s = o
		}
		o.mu.Unlock()
	}
	for _, ch := range channels {
		p := memberOf(ch, s)
		s.mu.Lock()
		s.places[ch.Name()] = p
		s.mu.Unlock()
	}
	return ws, s
}

func (v *served) ask(ws *websocket.Conn, request string) {
	v.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, []byte(request)); err != nil {
		v.t.Fatal(err)
	}
}

// fillRing gives the channel messages of that many bytes each.
func fillRing(t testing.TB, ch *channel, n int, body string) {
	for i := range n {
		m := &schema.Message{Id: fmt.Sprint(i), User: "ada", Body: body}
		applyTo(t, ch, int64(i+1), &schema.Update{Kind: &schema.Update_Message{Message: m}})
	}
}

// memberOf makes a session a member of a channel.
func memberOf(ch *channel, s *session) *place {
	ch.Lock()
	defer ch.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &place{session: s, name: ch.Name(), channel: ch, state: catchingUp}
	p.begin(&operation{join: true})
	ch.GoLive(&p.member)
	p.on(resultSent)
	return p
}

// applyTo applies an update to a channel.
func applyTo(t testing.TB, ch *channel, seq int64, u *schema.Update) {
	t.Helper()
	ch.Lock()
	defer ch.Unlock()
	if err := ch.Apply(&schema.Push{Offset: seq}, u); err != nil {
		t.Fatal(err)
	}
}

// connOf is what carries a session.
func connOf(s *session) jsonrpc.Conn { return s.front.(jsonrpc.Conn) }

const askHistory = `{"jsonrpc":"2.0","id":1,"method":"history","params":{"channel":"a","limit":300}}`

// Sessions that ask for history and read nothing keep below the bound of all
// queues: the longest are closed as slow consumers, and one who reads gets all.
//
//parley:bound all clients' queues
func TestQueuesTogetherAreBounded(t *testing.T) {
	const sessions, bound = 200, 64 << 20
	v := serveAlone(t, func(inc *incarnation) { inc.shared.Queues = ws.NewBudget(bound, nil) })
	ch := v.inc.channels.subscribe("a")
	fillRing(t, ch, 200, strings.Repeat("x", 4000))
	before := inuse.Heap()
	for i := range sessions {
		ws, _ := v.enter(fmt.Sprint("deaf", i), ch)
		for range 6 {
			v.ask(ws, askHistory)
		}
	}
	reader, _ := v.enter("reader", ch)
	for i := range 20 {
		v.ask(reader, askHistory)
		_ = reader.SetReadDeadline(time.Now().Add(await.Limit))
		if _, _, err := reader.ReadMessage(); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	closed := 0
	await.That(t, "slow consumers are closed", func() bool {
		for _, s := range v.inc.sessions.list() {
			if connOf(s).ClosedWith() == rpc.CloseSlow {
				closed++
			}
		}
		return closed > 0
	})
	await.That(t, "the queues are within the bound", func() bool { return v.inc.shared.Queues.Held() <= bound })
	held, heap := v.inc.shared.Queues.Held(), inuse.Heap()-before
	t.Logf("%d of %d closed, queues hold %d MiB, the heap grew by %d MiB", closed, sessions, held>>20, heap>>20)
	if heap > bound*5/4+sessions*128<<10 {
		t.Errorf("queues hold %d bytes and the heap grew by %d, the bound is %d; %d sessions were closed", held, heap, bound, closed)
	}
}

// Who asks for more than the queue holds and reads slowly gets all of it:
// answers wait for room, and reading waits with them.
func TestAnswersWaitForRoom(t *testing.T) {
	v := serveAlone(t, nil)
	ch := v.inc.channels.subscribe("a")
	fillRing(t, ch, 200, strings.Repeat("x", 4000))
	ws, s := v.enter("slow", ch)
	const asked = 40 // 32 MB
	for range asked {
		v.ask(ws, askHistory)
	}
	await.That(t, "the queue is full", func() bool { return !connOf(s).RoomNow() })
	for i := range asked {
		_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
		if _, _, err := ws.ReadMessage(); err != nil {
			t.Fatalf("after %d of %d answers: %v", i, asked, err)
		}
	}
}
