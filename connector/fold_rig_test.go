package connector

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// heldLog keeps what the connector publishes until the test lets it pass.
type heldLog struct {
	appender
	mu   sync.Mutex
	held []heldEvent
}

type heldEvent struct {
	value []byte
	done  func(eventlog.Ack)
}

func (l *heldLog) Append(_ int, r eventlog.Record, done func(eventlog.Ack)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, heldEvent{r.Value, done})
	return nil
}

func (l *heldLog) take() (e heldEvent, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) == 0 {
		return e, false
	}
	e, l.held = l.held[0], l.held[1:]
	return e, true
}

// heldArchive is a history, which can be read once the gate is open.
type heldArchive struct {
	slowArchive
	gate  chan struct{} // nil: it is open
	asked atomic.Int32  // how many reads there were
	has   []rpc.Message
	bad   error // of all reads
}

func (a *heldArchive) Read(ctx context.Context, q history.Query) (history.Page, error) {
	a.asked.Add(1)
	if a.gate != nil {
		a.reading.Add(1)
		defer a.reading.Add(-1)
		select {
		case <-a.gate:
		case <-ctx.Done():
		}
	}
	if a.bad != nil {
		return history.Page{}, a.bad
	}
	below := slices.DeleteFunc(slices.Clone(a.has), func(m rpc.Message) bool { return m.Seq >= q.End || q.Mode == history.Before && m.Seq >= q.Before })
	return history.Page{Messages: below, Asof: q.End - 1, Records: []changes.Record{}}, ctx.Err()
}

func (a *heldArchive) ReadLog(ctx context.Context, q history.Query, _ int64) (history.Page, error) {
	return a.Read(ctx, q)
}

// foldRig is a connector with real sockets whose events go through the worker's fold,
// one at a time and when the test says so.
type foldRig struct {
	*edgeRig
	log     *heldLog
	archive *heldArchive
	fold    *fold.Fold
	stream  *stream
	offset  int64
	counter uint64 // of another connector's events
}

func newFoldRig(t *testing.T) *foldRig {
	t.Helper()
	r := &foldRig{
		edgeRig: newEdgeRig(t, withAuth), log: new(heldLog), archive: new(heldArchive),
		fold: fold.New(fold.Log{Epoch: "e", Window: 100}),
	}
	r.inc.events.producer, r.inc.past.archive = r.log, r.archive
	r.stream = &stream{inc: r.inc, seen: pushChain{}}
	r.apply(&schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: schema.NewestFormat, Window: 100}}})
	t.Cleanup(func() {
		for _, s := range r.inc.sessions.list() {
			s.mu.Lock()
			clear(s.places) // there is no log to take leaves
			s.mu.Unlock()
		}
	})
	return r
}

// apply has the fold take an event, and the connector what it pushes.
func (r *foldRig) apply(e *schema.Event) {
	r.t.Helper()
	out, err := r.fold.Apply(r.offset, e)
	if err != nil {
		r.t.Fatal(err)
	}
	r.offset++
	for _, o := range out {
		value, err := proto.Marshal(o.Push)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := r.stream.record(&eventlog.Record{Key: []byte(o.Push.Connector), Value: value}); err != nil {
			r.t.Fatal(err)
		}
	}
	r.stream.flush()
}

// passes waits for the next event of the connector, which is of that kind, and lets it
// pass.
func (r *foldRig) passes(kind string) *schema.Event {
	r.t.Helper()
	e := r.lets(r.published("a " + kind))
	if got := kindOf(e); got != kind {
		r.t.Fatalf("a %s is published, want a %s", got, kind)
	}
	return e
}

// published waits for the next event of the connector, which the log has not answered.
func (r *foldRig) published(what string) (held heldEvent) {
	r.t.Helper()
	await.That(r.t, what+" is published", func() (ok bool) {
		held, ok = r.log.take()
		return ok
	})
	return held
}

// lets lets an event pass.
func (r *foldRig) lets(held heldEvent) *schema.Event {
	r.t.Helper()
	e := new(schema.Event)
	if err := proto.Unmarshal(held.value, e); err != nil {
		r.t.Fatal(err)
	}
	held.done(eventlog.Ack{Offset: r.offset})
	r.apply(e)
	return e
}

func kindOf(e *schema.Event) string {
	return strings.ToLower(strings.TrimPrefix(reflect.TypeOf(e.Kind).Elem().Name(), "Event_"))
}

// moderates has a moderator elsewhere sanction a user in channel a.
func (r *foldRig) moderates(s *schema.Sanction) {
	r.t.Helper()
	s.Channel, s.By, s.Id = "a", &schema.Author{By: &schema.Author_User{User: "mo"}}, fmt.Sprint(r.counter)
	r.elsewhere(&schema.Event{Kind: &schema.Event_Sanction{Sanction: s}})
}

func (r *foldRig) elsewhere(e *schema.Event) {
	r.t.Helper()
	r.counter++
	e.Time, e.Connector, e.Counter = time.Now().UnixMilli(), "elsewhere", r.counter
	r.apply(e)
}

// says has somebody elsewhere say something.
func (r *foldRig) says(body string) {
	r.t.Helper()
	r.elsewhere(&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "mo", Id: body, Body: body}}})
}

func (r *foldRig) kicks(user string) {
	r.t.Helper()
	r.moderates(&schema.Sanction{User: user, Action: schema.Sanction_ACTION_KICK})
}

// client is a user's connection.
type client struct {
	r    *foldRig
	ws   *websocket.Conn
	user string
	s    *session
	next int // the id of the next request
}

// enters connects a user who may do everything but moderate, or that too.
func (r *foldRig) enters(user string, allow ...string) *client {
	r.t.Helper()
	all := []any{"*"}
	for _, a := range allow {
		all = append(all, a)
	}
	token := tokenAllowing(r.t, user, all...)
	c := &client{r: r, ws: r.open(), user: user, next: 10}
	if answer := answerTo(r.t, c.ws, helloWith(token)); !strings.Contains(answer, `"result"`) {
		r.t.Fatalf("hello of %s: %s", user, answer)
	}
	for _, s := range r.inc.sessions.list() {
		s.mu.Lock()
		if s.user == user && !s.ended {
			c.s = s
		}
		s.mu.Unlock()
	}
	return c
}

// tokenAllowing grants actions in all channels.
func tokenAllowing(t testing.TB, user string, allow ...any) string {
	return rigToken(t, user, jwt.MapClaims{"parley": map[string]any{
		"grants": []any{map[string]any{"channels": []string{"*"}, "allow": allow}},
	}})
}

// asks sends requests about channel a that are not answered yet; their ids count from
// 10.
func (c *client) asks(methods ...string) {
	c.r.t.Helper()
	for _, method := range methods {
		frame := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{"channel":"a"}}`, c.next, method)
		if method == rpc.MethodChat {
			frame = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"chat","params":{"channel":"a","body":"hi"}}`, c.next)
		}
		c.next++
		c.sends(frame)
	}
}

// hears reads frames, each of which has the text that is wanted.
func (c *client) hears(want ...string) {
	c.r.t.Helper()
	for _, w := range want {
		_ = c.ws.SetReadDeadline(time.Now().Add(await.Limit))
		_, frame, err := c.ws.ReadMessage()
		if err != nil || !strings.Contains(string(frame), w) {
			c.r.t.Fatalf("%s hears %s, %v, want %s", c.user, frame, err, w)
		}
	}
}

// hearsLater reads frames up to one that has the text.
func (c *client) hearsLater(want string) {
	c.r.t.Helper()
	var heard []string
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(await.Limit))
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			c.r.t.Fatalf("%s hears %s, %v, want %s", c.user, heard, err, want)
		}
		if heard = append(heard, string(frame)); strings.Contains(string(frame), want) {
			return
		}
	}
}

// hearsNothing says that all that came was heard.
func (c *client) hearsNothing() {
	c.r.t.Helper()
	if answer := answerTo(c.r.t, c.ws, `{"jsonrpc":"2.0","id":9,"method":"ping"}`); !strings.Contains(answer, `"id":9,"result"`) {
		c.r.t.Errorf("%s hears %s", c.user, answer)
	}
}

// sends sends a request.
func (c *client) sends(frame string) {
	c.r.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.r.t.Fatal(err)
	}
}

// joins makes the client a member, live.
func (c *client) joins() {
	c.r.t.Helper()
	c.asks(rpc.MethodJoin)
	c.r.passes("join")
	c.hears(`"result":{"channel":"a"`)
	c.is(live)
}

// is waits until the client's place in the channel is in a state.
func (c *client) is(want state) {
	c.r.t.Helper()
	await.That(c.r.t, fmt.Sprint(c.user, " is ", want), func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		p := c.s.places["a"]
		return p == nil && want == absent || p != nil && p.state == want
	})
}

// keepsBack waits until that many of the client's requests are kept back.
func (c *client) keepsBack(n int) {
	c.r.t.Helper()
	await.That(c.r.t, fmt.Sprint(n, " are kept back"), func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		p := c.s.places["a"]
		return p != nil && len(p.later) == n
	})
}

// isCut ends the connection without a word: the leaves wait for the user to come back.
func (c *client) isCut() {
	c.r.t.Helper()
	_ = c.ws.Close()
	await.That(c.r.t, "the session has ended", func() bool {
		c.s.mu.Lock()
		defer c.s.mu.Unlock()
		return c.s.ended
	})
}

// isGone waits until nothing is left of the client's session.
func (c *client) isGone() {
	c.r.t.Helper()
	await.That(c.r.t, c.user+" is forgotten", func() bool { return c.r.inc.sessions.get(c.s.id) == nil })
}
