package connector

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// isSlow has a moderator elsewhere set slow mode in channel a.
func (r *foldRig) isSlow(seconds int64) {
	r.t.Helper()
	r.sets(&schema.Set{Slow: &seconds})
}

func (r *foldRig) sets(s *schema.Set) {
	r.t.Helper()
	s.Channel, s.By, s.Id = "a", &schema.Author{By: &schema.Author_User{User: "mo"}}, fmt.Sprint(r.counter)
	r.elsewhere(&schema.Event{Kind: &schema.Event_Set{Set: s}})
}

var retryOf = regexp.MustCompile(`"code":1005.*"retry":(\d+)`)

// slowRig has eve in channel a, in slow mode of an hour.
func slowRig(t *testing.T, allow ...string) (*foldRig, *client) {
	t.Helper()
	r := newFoldRig(t)
	eve := r.enters("eve", allow...)
	eve.joins()
	r.isSlow(3600)
	eve.hears(`"settings"`)
	return r, eve
}

// isTooSoon reads the refusal of a message, which may be sent again after about that
// long.
func (c *client) isTooSoon(wait time.Duration) {
	c.r.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(await.Limit))
	_, frame, err := c.ws.ReadMessage()
	found := retryOf.FindSubmatch(frame)
	if found == nil {
		c.r.t.Fatalf("%s hears %s, %v, want 1005", c.user, frame, err)
	}
	ms, _ := strconv.ParseInt(string(found[1]), 10, 64)
	if off := wait - time.Duration(ms)*time.Millisecond; off < -time.Second || off > 5*time.Minute {
		c.r.t.Fatalf("%s may write again after %d ms, want about %v", c.user, ms, wait)
	}
}

// A message that the log has refused does not count for slow mode; one that it has not
// answered yet does.
func TestSlowModeCountsWhatIsPublished(t *testing.T) {
	t.Parallel()
	r, eve := slowRig(t)
	eve.asks("chat")
	first := r.published("the message")
	eve.asks("chat")
	eve.isTooSoon(time.Hour)
	first.done(eventlog.Ack{Err: errors.New("no broker")})
	eve.hears(`"code":1007`)
	eve.asks("chat")
	second := r.published("the message")
	second.done(eventlog.Ack{Offset: r.offset})
	eve.hears(`"result":{"id"`)
	eve.asks("chat") // which has not passed
	eve.isTooSoon(time.Hour)
}

// A retry of a message that is in the log does not count for slow mode: its first try
// does.
func TestSlowModeCountsNoRetry(t *testing.T) {
	t.Parallel()
	r, eve := slowRig(t)
	eve.sends(`{"jsonrpc":"2.0","id":50,"method":"chat","params":{"channel":"a","body":"hi","id":"m","retry":true}}`)
	retry := r.published("the message")
	r.counter++
	r.apply(&schema.Event{
		Time: time.Now().Add(-40 * time.Minute).UnixMilli(), Connector: "elsewhere", Counter: r.counter,
		Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "eve", Id: "m", Body: "hi"}},
	})
	eve.hears(`"method":"chat"`)
	r.lets(retry)
	eve.hears(`"id":50,"result":{"id":"m","seq":3,`)
	eve.asks("chat")
	eve.isTooSoon(20 * time.Minute)
}

// alone has eve say something in slow mode and leave, so that it is in history and in
// no memory. She comes back while history cannot be read yet; her join has passed.
func alone(t *testing.T, allow ...string) (*foldRig, *client) {
	t.Helper()
	r, eve := slowRig(t, allow...)
	eve.asks("chat")
	said := r.passes("chat")
	r.archive.has = []rpc.Message{{Channel: "a", Seq: r.offset - 1, ID: said.GetChat().Id, User: "eve", Body: "hi", Time: said.Time}}
	eve.hears(`"result"`, `"method":"chat"`)
	topic := "later than slow mode"
	r.sets(&schema.Set{Topic: &topic})
	eve.hears(`"settings"`)
	eve.asks("leave")
	r.passes("leave")
	eve.hears(`"result":{}`)
	r.archive.gate = make(chan struct{})
	r.archive.asked.Store(0)
	eve.asks("join")
	r.passes("join")
	eve.is(catchingUp)
	return r, eve
}

// wait waits until so many messages wait for history.
func (r *foldRig) wait(n int) {
	r.t.Helper()
	await.That(r.t, fmt.Sprint(n, " messages wait"), func() bool {
		ch := r.inc.channels.get("a")
		ch.Lock()
		defer ch.Unlock()
		return len(ch.unjudged) == n
	})
}

// Who is alone on a connector, leaves and comes back has spoken all the same. One read
// of history is for all.
func TestSlowModeAfterLeaving(t *testing.T) {
	t.Parallel()
	r, eve := alone(t)
	eve.asks("chat", "chat")
	r.wait(2)
	close(r.archive.gate)
	eve.hearsLater(`"code":1005`)
	eve.asks("chat")
	eve.hearsLater(`"code":1005`)
	if n := r.archive.asked.Load(); n != 1 {
		t.Errorf("history was read %d times", n)
	}
	if _, is := r.log.take(); is {
		t.Error("a message is published")
	}
}

// Messages that wait for history keep their order, and are judged as it is then: slow
// mode may be off, and their user out.
func TestSlowModeWaitsForHistory(t *testing.T) {
	t.Parallel()
	r, eve := alone(t)
	bob := r.enters("bob")
	bob.asks("join")
	r.passes("join")
	chat := func(body int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"chat","params":{"channel":"a","body":"%d"}}`, 50+body, body)
	}
	for i := range 3 {
		eve.sends(chat(i))
	}
	bob.sends(chat(9))
	r.wait(4)
	r.kicks("bob")
	r.isSlow(0)
	eve.sends(chat(3))
	r.wait(5)
	close(r.archive.gate)
	for i := range 4 {
		if got := r.passes("chat").GetChat().Body; got != fmt.Sprint(i) {
			t.Errorf("message %d is %q", i, got)
		}
	}
	bob.hearsLater(`"id":59,"error":{"code":1003`)
}

// Without history messages are taken, by what is in memory, and nobody tries it again.
func TestSlowModeWithoutHistory(t *testing.T) {
	t.Parallel()
	r, eve := alone(t)
	r.archive.bad = errors.New("no ClickHouse, and no log")
	eve.asks("chat")
	r.wait(1)
	close(r.archive.gate)
	r.passes("chat")
	eve.hearsLater(`"method":"chat"`)
	eve.asks("chat")
	eve.hearsLater(`"code":1005`)
	bob := r.enters("bob")
	bob.asks("join")
	r.passes("join")
	bob.hearsLater(`"degraded":true`)
	reads := r.archive.asked.Load()
	bob.asks("chat")
	r.passes("chat")
	if n := r.archive.asked.Load(); n > reads {
		t.Error("history is read again")
	}
}

// Nobody waits for history who need not.
func TestSlowModeWaitsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		allow   []string
		prepare func(*foldRig)
	}{
		"a moderator":      {[]string{"moderate"}, func(*foldRig) {}},
		"it is off":        {nil, func(r *foldRig) { r.isSlow(0) }},
		"it was set again": {nil, func(r *foldRig) { r.isSlow(7200) }},
		"the channel was followed for as long": {nil, func(r *foldRig) {
			ch := r.inc.channels.get("a")
			ch.Lock()
			ch.begun = ch.begun.Add(-time.Hour)
			ch.Unlock()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, eve := alone(t, c.allow...)
			c.prepare(r)
			eve.asks("chat")
			r.passes("chat")
			close(r.archive.gate)
		})
	}
}
