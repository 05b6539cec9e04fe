package connector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Requests that cannot be answered yet keep no more than their bound, however
// long their ids are, and what is small is answered all the same.
//
//parley:bound unanswered requests
func TestUnansweredRequestsAreBounded(t *testing.T) {
	const sessions, each, bound = 40, 30, 8 << 20
	const never = 1 << 40 // in the stream, until the end
	v := serveAlone(t, func(inc *incarnation) {
		inc.shared.Requests, inc.cfg.HistoryTime = quota.NewPool(bound, 2<<10), 10*time.Minute
	})
	ch := v.inc.channels.subscribe("a")
	fillRing(t, ch, 10, "x")
	before := inuse.Heap()
	id := strings.Repeat("i", 50_000)
	var all []*websocket.Conn
	for i := range sessions {
		ws, s := v.enter(fmt.Sprint("waits", i), ch)
		all = append(all, ws)
		s.mu.Lock()
		s.places["a"].acked = never
		s.mu.Unlock()
		for range each {
			// Once what is kept is at the bound, the connection may be closed.
			_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":"`+id+`","method":"history","params":{"channel":"a","limit":1}}`))
		}
	}
	// Of two that come at the bound together both may be refused.
	await.That(t, "about the bound is reached", func() bool { return v.inc.shared.Requests.Used() > bound/2 })
	ws, _ := v.enter("small", ch)
	v.ask(ws, `{"jsonrpc":"2.0","id":1,"method":"members","params":{"channel":"a"}}`)
	if _, answer, err := ws.ReadMessage(); err != nil || strings.Contains(string(answer), `"error"`) {
		t.Errorf("a small request is answered with %s (%v)", answer, err)
	}
	const most = bound + (sessions+1)*2<<10
	await.That(t, "requests keep what they may", func() bool { // what is refused counts for a moment
		used := v.inc.shared.Requests.Used()
		return bound/2 <= used && used <= most
	})
	t.Logf("requests keep %d KiB, the heap grew by %d KiB", v.inc.shared.Requests.Used()>>10, (inuse.Heap()-before)>>10)
	for _, ws := range all {
		ws.Close()
	}
	applyTo(t, ch, never, &schema.Update{Kind: &schema.Update_VoidChat{VoidChat: &schema.VoidChat{}}}) // or it takes HistoryTime
	await.That(t, "nothing counts once they are gone", func() bool { return v.inc.shared.Requests.Used() == 0 })
}

// Messages of which only a part has come are bounded together, and take nothing
// of the room for what others have asked.
//
//parley:bound messages that are being read
func TestHalfRequestsAreBounded(t *testing.T) {
	const sessions, bound = 200, 2 << 20
	v := serveAlone(t, func(inc *incarnation) { inc.shared.Reading = quota.NewPool(bound, 0) })
	ch := v.inc.channels.subscribe("a")
	half := []byte(`{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 50_000))
	var all []*websocket.Conn
	for i := range sessions {
		ws, _ := v.enter(fmt.Sprint("half", i), ch)
		w, err := ws.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(half); err != nil {
			t.Fatal(err)
		}
		all = append(all, ws)
	}
	closed := func() (n int) {
		for _, s := range v.inc.sessions.list() {
			if connOf(s).ClosedWith() == rpc.CloseSlow {
				n++
			}
		}
		return n
	}
	await.That(t, "what does not fit is closed", func() bool { return closed() >= sessions-bound/(32<<10)-1 })
	await.That(t, "halves keep what they may", func() bool {
		used := v.inc.shared.Reading.Used()
		return bound/2 <= used && used <= bound
	})
	await.That(t, "halves take nothing of the room for requests", func() bool { return v.inc.shared.Requests.Used() == 0 })
	ws, _ := v.enter("whole", ch)
	v.ask(ws, `{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	if _, answer, err := ws.ReadMessage(); err != nil || !strings.Contains(string(answer), `"result"`) {
		t.Errorf("a whole request is answered with %s (%v)", answer, err)
	}
	for _, ws := range all {
		ws.Close()
	}
	await.That(t, "nothing counts", func() bool { return v.inc.shared.Reading.Used() == 0 })
}

// The pages of members that wait for joins count, and one that does not fit
// is refused.
//
//parley:bound unanswered requests
func TestWaitingMembersAreBounded(t *testing.T) {
	v := serveAlone(t, func(inc *incarnation) { inc.shared.Requests = quota.NewPool(256<<10, 2<<10) })
	ch := v.inc.channels.subscribe("a")
	for i := range maxMembers {
		applyTo(t, ch, int64(i+1), &schema.Update{Kind: &schema.Update_Joined{Joined: &schema.Joined{User: fmt.Sprintf("user%04d", i), First: true}}})
	}
	ws, s := v.enter("many", ch)
	op := &operation{join: true, asked: []*joinCall{{}}}
	s.mu.Lock()
	s.places["a"].state, s.places["a"].result = catchingUp, op
	s.mu.Unlock()
	const asked = 40
	for i := range asked {
		v.ask(ws, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"members","params":{"channel":"a","limit":1000}}`, i))
	}
	waiting := func() []follower {
		s.mu.Lock()
		defer s.mu.Unlock()
		return op.followers
	}
	await.That(t, "all wait", func() bool { return len(waiting()) == asked })
	if used := v.inc.shared.Requests.Used(); used > 256<<10 || used < 128<<10 {
		t.Errorf("%d requests keep %d bytes", asked, used)
	}
	answerAll(waiting(), ch)
	refused := 0
	for range asked {
		_, answer, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(answer), `"error"`) {
			refused++
		}
	}
	if refused == 0 || refused == asked {
		t.Errorf("%d of %d are refused", refused, asked)
	}
	await.That(t, "nothing counts", func() bool { return v.inc.shared.Requests.Used() == 0 })
}
