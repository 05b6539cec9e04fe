package connector

import (
	"context"
	"fmt"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// Who was banned gets no page with what came later.
func TestNothingIsReadForWhoIsOut(t *testing.T) {
	r := newFoldRig(t)
	eve, ann := r.enters("eve"), r.enters("ann")
	eve.joins()
	ann.joins()
	eve.hears(`"joined"`)
	eve.asks("chat")
	r.published("the chat").done(eventlog.Ack{Offset: r.offset + 1})
	eve.hears(`"result":{"id"`)
	eve.sends(`{"jsonrpc":"2.0","id":50,"method":"history","params":{"channel":"a","limit":1}}`)
	await.That(t, "the history waits", func() bool { return r.inc.shared.Requests.Used() > waitBytes })
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_BAN})
	eve.hears(`"sanctioned"`, `"left"`, isOut)
	r.says("secret")
	eve.hears(`"code":1003`)
}

// doneArchive knows of an act of everybody.
type doneArchive struct{ *heldArchive }

func (doneArchive) First(context.Context, schema.Act, int64) (history.Act, bool, error) {
	return history.Act{Seq: 2}, true, nil
}

// A change that was carried out, and is sent again, is not refused for a mute that came
// while its message was waited for.
func TestRetryOfAChangeBeforeAMute(t *testing.T) {
	for name, want := range map[string]string{"carried out": `"id":50,"result":{"id":"e","seq":2`, "not carried out": `"code":1009`} {
		t.Run(name, func(t *testing.T) {
			r := newFoldRig(t)
			if name == "carried out" {
				r.inc.past.archive = doneArchive{r.archive}
			}
			eve := r.enters("eve")
			eve.joins()
			eve.sends(fmt.Sprintf(`{"jsonrpc":"2.0","id":50,"method":"edit","params":{"channel":"a","seq":%d,"body":"x","id":"e","retry":true}}`, r.offset+1))
			await.That(t, "the edit waits", func() bool {
				ch := r.inc.channels.get("a")
				ch.Lock()
				defer ch.Unlock()
				return len(ch.aims) == 1
			})
			r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_MUTE})
			eve.hears(`"sanctioned"`)
			r.elsewhere(&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "eve", Id: "1", Body: "1"}}})
			eve.hearsLater(want)
		})
	}
}

// lateArchive knows of an act that has not passed yet.
type lateArchive struct {
	*heldArchive
	seq int64
}

func (a lateArchive) First(_ context.Context, _ schema.Act, at int64) (history.Act, bool, error) {
	return history.Act{Seq: a.seq}, a.seq < at, nil
}

func (a lateArchive) End(context.Context, string) (int64, error) { return a.seq + 1, nil }

// A retry that a mute or slow mode refuses waits for its first try, which another
// connector has published and this one has not seen.
func TestRetryOfWhatHasNotPassed(t *testing.T) {
	for name, stop := range map[string]func(*foldRig, *client){
		"a mute": func(r *foldRig, eve *client) {
			r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_MUTE})
			eve.hears(`"sanctioned"`)
		},
		"slow mode": func(r *foldRig, eve *client) {
			r.isSlow(3600)
			eve.hears(`"settings"`)
			eve.asks("chat")
			r.passes("chat")
			eve.hears(`"result"`, `"method":"chat"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFoldRig(t)
			eve := r.enters("eve")
			eve.joins()
			stop(r, eve)
			first := r.offset
			r.inc.past.archive = lateArchive{r.archive, first}
			eve.sends(`{"jsonrpc":"2.0","id":50,"method":"chat","params":{"channel":"a","body":"hi","id":"m","retry":true}}`)
			await.That(t, "the retry waits", func() bool { return r.inc.shared.Requests.Used() > callBytes+2 }) // of its id
			r.elsewhere(&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "eve", Id: "m", Body: "hi"}}})
			eve.hearsLater(fmt.Sprintf(`"id":50,"result":{"id":"m","seq":%d`, first))
		})
	}
}
