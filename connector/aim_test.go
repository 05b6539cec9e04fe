package connector

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// countingLog takes everything, counts it and acknowledges nothing.
type countingLog struct {
	appender
	taken atomic.Int32
}

func (l *countingLog) Append(int, eventlog.Record, func(eventlog.Ack)) error {
	l.taken.Add(1)
	return nil
}

// actsRig is a session of eve in a channel of ten messages of ada's.
type actsRig struct {
	*edgeRig
	log *countingLog
	ws  *websocket.Conn
	s   *session
	p   *place
	ch  *channel
}

func newActsRig(t *testing.T) *actsRig {
	t.Helper()
	r := &actsRig{edgeRig: newEdgeRig(t), log: new(countingLog)}
	r.inc.events.producer = r.log
	r.ws = r.enter("eve")
	r.s, r.ch = r.inc.sessions.list()[0], r.inc.channels.subscribe("a")
	fillRing(t, r.ch, 10, "x")
	r.p = memberOf(r.ch, r.s)
	r.s.mu.Lock()
	r.s.places["a"] = r.p
	r.s.mu.Unlock()
	t.Cleanup(func() {
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		clear(r.s.places) // there is no log to take leaves
	})
	return r
}

// ask sends a request that is not answered yet.
func (r *actsRig) ask(method, params string) {
	r.t.Helper()
	frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{"channel":"a",%s}}`, method, params)
	if err := r.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *actsRig) wantAnswer(code int) {
	r.t.Helper()
	_, answer, err := r.ws.ReadMessage()
	if err != nil || !strings.Contains(string(answer), fmt.Sprintf(`"code":%d`, code)) {
		r.t.Errorf("the answer is %s (%v), want %d", answer, err, code)
	}
}

// What takes back a reaction that never was is published while one of the session's is
// on its way, and takes room among the pairs of the message all the same.
func TestTakingBackCountsAmongThePairs(t *testing.T) {
	r := newActsRig(t)
	r.inc.limits.Pairs = 1
	r.ask("react", `"seq":1,"name":"x"`)
	await.That(t, "the reaction is published", func() bool { return r.log.taken.Load() == 1 })
	x := &schema.Reacted{User: "eve", Target: 1, Author: "ada", Name: "x"}
	applyTo(t, r.ch, 11, &schema.Update{Kind: &schema.Update_Reacted{Reacted: x}})
	r.ask("react", `"seq":1,"name":"y","remove":true`)
	r.wantAnswer(rpc.CodeFull)
	if n := r.log.taken.Load(); n != 1 {
		t.Errorf("%d reactions are published to a message that takes one", n)
	}
}

// A message that the log has acknowledged to the session is there, however late the
// stream is.
func TestAcknowledgedMessagesAreNotGone(t *testing.T) {
	r := newActsRig(t)
	r.s.mu.Lock()
	r.p.acked = 50
	r.s.mu.Unlock()
	for seq, code := range map[int64]int{50: rpc.CodeHistoryUnavailable, 51: rpc.CodeGone} {
		r.ask("edit", fmt.Sprintf(`"seq":%d,"body":"hi"`, seq))
		await.That(t, "the message is waited for", func() bool {
			r.ch.Lock()
			defer r.ch.Unlock()
			return r.ch.aims[seq] != nil
		})
		r.ch.Lock()
		r.ch.aims[seq].acts[0].goOn(r.ch, rpc.Gone()) // as after the time to wait
		r.ch.Unlock()
		r.wantAnswer(code)
	}
}

// A message is not published in a stay that has ended since the request was read.
func TestActsOfAStayThatIsOver(t *testing.T) {
	r := newActsRig(t)
	r.s.mu.Lock()
	r.p.expelled = true
	r.s.mu.Unlock()
	chat := &schema.Chat{Channel: "a", User: "eve", Body: "hi"}
	a := &act{
		call: &call{session: r.s, method: "chat", id: []byte("7")}, place: r.p, takes: grants.Chat,
		Act: params.Act{Event: &schema.Event{Kind: &schema.Event_Chat{Chat: chat}}},
	}
	r.s.unanswered <- struct{}{}
	r.p.begun(r.ch, a)
	r.wantAnswer(rpc.CodeForbidden)
	if n := r.log.taken.Load(); n != 0 {
		t.Errorf("%d messages are published", n)
	}
}
