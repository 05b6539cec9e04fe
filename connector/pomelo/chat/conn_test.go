package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/pomelotest"
	"github.com/parley-chat/parley/schema/rpc"
)

// rig serves clients. Their sessions are the test's.
type rig struct {
	t       *testing.T
	addr    string
	options *Options
	conns   chan *guest
	seq     int64 // up to which rooms have been pushed
}

// guest is the front of one client, and what its session was asked that the test is
// to answer.
type guest struct {
	*Conn
	asked chan rpc.Request
	ended chan struct{}
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, conns: make(chan *guest, 10)}
	r.options = &Options{Settings: Settings{Routes: DefaultRoutes(), History: DefaultHistory}, Rooms: r, Memory: NewMemory()}
	server := ws.NewServer(ws.Config{Host: r, Path: "/", Logger: slog.New(slog.DiscardHandler), Raw: func(netip.Addr) (ws.Place, bool) { return r, true }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) Refuse(*http.Request) string           { return "" }
func (r *rig) Admit(*http.Request) (ws.Place, error) { return r, nil }
func (r *rig) Fail()                                 {}
func (r *rig) Taken(string, string) bool             { return false }
func (r *rig) Position(string) (int64, string)       { return r.seq, "e" }

func (r *rig) Shared() *ws.Shared {
	return ws.NewShared(rpc.Limits{Frame: 8 << 10, Queue: 1 << 20}, 0, nil, nil)
}

func (r *rig) Open(c *ws.Conn, from ws.Arrival) {
	g := &guest{New(pomelo.New(c, from, 8<<10), r.options), make(chan rpc.Request, 10), make(chan struct{})}
	r.conns <- g
	go func() {
		defer close(g.ended)
		_, _ = g.Serve(g.take, nil)
		g.Discard()
	}()
}

// take is the session: joins, leaves and messages are for the test to answer.
func (g *guest) take(q rpc.Request, _ *rpc.Error) {
	var of rpc.HelloParams
	if q.Method != rpc.MethodHello {
		if q.Method == rpc.MethodLeave && strings.Contains(string(q.Params), `"full"`) {
			g.Conn.Refuse(q.ID, rpc.RateLimited(7))
		}
		g.asked <- q
		return
	}
	_ = json.Unmarshal(q.Params, &of)
	g.Conn.Answer(q.ID, func(b []byte) []byte { return fmt.Appendf(b, `{"user":%q}`, of.User) })
}

// connect is a client over TCP that has made the handshake, and its front.
func (r *rig) connect() (*pomelotest.Client, *guest) { return r.connectBy(false) }

func (r *rig) connectBy(framed bool) (*pomelotest.Client, *guest) {
	c := pomelotest.Dial(r.t, r.addr, framed, nil).Work("")
	return c, <-r.conns
}

// enter is what the client's session is asked when it enters a room.
func (g *guest) enter(c *pomelotest.Client, room string) rpc.Request {
	c.Send(pomelotest.Request(1, "connector.entryHandler.enter", fmt.Sprintf(`{"username":"ada","rid":%q}`, room)))
	for {
		if q := <-g.asked; q.Method == rpc.MethodJoin {
			return q
		}
	}
}

// sinceOf is from where on a join asks for what was missed; 0: it does not.
func sinceOf(q rpc.Request) int64 {
	var p rpc.JoinParams
	_ = json.Unmarshal(q.Params, &p)
	if p.Since == nil {
		return 0
	}
	return *p.Since
}

// joined answers a join, with one message of before.
func (g *guest) joined(q rpc.Request, room string) {
	g.Answer(q.ID, func(b []byte) []byte {
		return fmt.Appendf(b, `{"channel":%q,"members":[{"user":"ada"}],"messages":[{"seq":1,"user":"bob","body":"in %s"}]}`, room, room)
	})
}

// cut cuts the client's connection, and waits until that is known.
func (g *guest) cut(c *pomelotest.Client) {
	_ = c.Conn.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	<-g.ended
}

// pass has the connection looked after, as of so long ago.
func (g *guest) pass(ago time.Duration) {
	g.Probe(time.Now().Add(-ago), 10_000*time.Hour, time.Minute, func(time.Time) bool { return false })
}

const users = "4\x04\x01" + `{"users":["ada"]}`

// Who cannot leave a room for another one stays there, rather than be in both.
func TestWhoCannotLeaveStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, g := r.connect()
	g.joined(g.enter(c, "full"), "full")
	c.Expect(users, "4\x06\x06onChat*")
	c.Send(pomelotest.Request(2, "connector.entryHandler.enter", `{"username":"ada","rid":"other"}`))
	c.Expect("4\x04\x02" + `{"code":500,"error":"rate_limited"*`)
	c.Send(pomelotest.Request(3, "chat.chatHandler.send", `{"content":"hi","target":"*"}`))
	if leave, sent := <-g.asked, <-g.asked; leave.Method != rpc.MethodLeave || sent.Method != rpc.MethodChat || !strings.Contains(string(sent.Params), `"full"`) {
		t.Errorf("then the session is asked %s %s", sent.Method, sent.Params)
	}
}

// The messages of a room that the user has left meanwhile are not shown in the next.
func TestNothingIsShownOfARoomLeftMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, g := r.connect()
	first := g.enter(c, "slow")
	second := g.enter(c, "r")
	g.joined(second, "r")
	g.joined(first, "slow")
	g.joined(g.enter(c, "r"), "r")
	c.Expect(users, "4\x06\x06onChat"+`{"msg":"in r"*`, users, users)
}

// What a user has missed is known until it is shown, and a while longer.
func TestWhatWasMissedIsNotForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.options.Memory.keep("ada", "r", 7, "e")
	r.seq = 99

	// A join that is refused, and one that is not answered, have shown nothing.
	c, g := r.connect()
	g.Refuse(g.enter(c, "r").ID, rpc.Unavailable(1))
	c.Expect("4\x04\x01" + `{"code":500*`)
	q := g.enter(c, "r")
	if since := sinceOf(q); since != 7 {
		t.Errorf("after a join that was refused, what is asked for is since %d", since)
	}
	g.pass(20 * time.Second)
	g.cut(c)

	// Nor has one whose answer nobody may have seen.
	c, g = r.connect()
	if q = g.enter(c, "r"); sinceOf(q) != 7 {
		t.Errorf("after a join that was not answered, what is asked for is since %d", sinceOf(q))
	}
	g.joined(q, "r")
	c.Expect(users, "4\x06\x06onChat*")
	g.cut(c)
	c, g = r.connect()
	if q = g.enter(c, "r"); sinceOf(q) != 7 {
		t.Errorf("cut again, what is asked for is since %d", sinceOf(q))
	}
	g.joined(q, "r")
	c.Expect(users, "4\x06\x06onChat*")
	g.pass(20 * time.Second)
	g.cut(c)

	// Another connection of the user's that is there asks who else is, which is not
	// to come back.
	tab, here := r.connect()
	r.options.Memory.forget("ada", "r")
	here.joined(here.enter(tab, "r"), "r")
	tab.Expect(users, "4\x06\x06onChat*")
	r.options.Memory.keep("ada", "r", 99, "e")
	if since := sinceOf(here.enter(tab, "r")); since != 0 {
		t.Errorf("who is there asks for what came since %d", since)
	}
	c, g = r.connect()
	if q = g.enter(c, "r"); sinceOf(q) != 99 {
		t.Errorf("after another connection entered again, what is asked for is since %d", sinceOf(q))
	}

	// Who leaves on purpose is shown the newest messages.
	g.joined(q, "r")
	c.Expect(users, "4\x06\x06onChat*")
	_ = c.Close()
	<-g.ended
	c, g = r.connect()
	if since := sinceOf(g.enter(c, "r")); since != 0 {
		t.Errorf("after leaving on purpose, what is asked for is since %d", since)
	}
}

// A connection is looked after while, and after, it ends.
func TestLookedAfterWhileItEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seq = 99
	c, g := r.connectBy(true) // over TCP it would be taken for silent
	g.joined(g.enter(c, "r"), "r")
	c.Expect(users, "4\x06\x06onChat*")
	g.pass(1001 * time.Hour)
	const longAgo = 1000 * time.Hour
	for noted := false; !noted; { // while what it was sent is queued, nothing is
		g.pass(longAgo + time.Hour)
		g.mu.Lock()
		noted = g.trail.next > 0
		g.mu.Unlock()
	}
	var looking sync.WaitGroup
	looking.Go(func() {
		for ago := longAgo; ago > time.Hour; ago -= markEvery {
			select {
			case <-g.ended:
				return
			default:
				g.pass(ago)
			}
		}
	})
	g.cut(c)
	looking.Wait()
	if seq, _ := r.options.Memory.seen("ada", "r"); seq != 99 {
		t.Errorf("ada had seen %d", seq)
	}
}
