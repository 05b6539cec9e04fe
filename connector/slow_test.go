package connector

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
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

// sends sends a request.
func (c *client) sends(frame string) {
	c.r.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		c.r.t.Fatal(err)
	}
}

var retryOf = regexp.MustCompile(`"code":1005.*"retry":(\d+)`)

// isTooSoon reads the refusal of a message, which may be sent again after about that
// long.
func (c *client) isTooSoon(wait time.Duration) {
	c.r.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
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
	r := newFoldRig(t)
	eve := r.enters("eve")
	eve.joins()
	r.isSlow(3600)
	eve.hears(`"settings"`)
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
	r := newFoldRig(t)
	eve := r.enters("eve")
	eve.joins()
	r.isSlow(3600)
	eve.hears(`"settings"`)
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
