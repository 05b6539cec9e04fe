package connector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	isMember = `"result":{"channel":"a"`
	isOut    = `"method":"removed","params":{"channel":"a"`
	hasLeft  = `"result":{}`
)

// What a session has asked for goes on when it is kicked, whatever was under way.
func TestKicked(t *testing.T) {
	for name, c := range map[string]func(r *foldRig, eve *client){
		"live": func(r *foldRig, eve *client) {
			eve.joins()
			r.kicks("eve")
			eve.hears(`"sanctioned"`, `"left"`, isOut)
			r.says("not for eve")
			eve.hearsNothing()
			eve.asks("chat", "leave", "members")
			eve.hears(`"id":11,"error":{"code":1003`, `"id":12,"error":{"code":1003`, `"id":13,"error":{"code":1003`)
			eve.joins()
			r.says("for eve")
			eve.hears(`"for eve"`)
		},
		"twice": func(r *foldRig, eve *client) {
			for range 2 {
				eve.joins()
				r.kicks("eve")
				eve.hears(`"sanctioned"`, `"left"`, isOut)
			}
			r.kicks("eve")
			eve.hearsNothing()
		},
		"live, with history asked for up to what has not passed": func(r *foldRig, eve *client) {
			eve.joins()
			eve.asks("chat")
			r.published("the chat").done(eventlog.Ack{Offset: r.offset + 1}) // the kick is at r.offset
			eve.hears(`"id":11,"result":{"id"`)
			eve.asks("history")
			await.That(t, "the history waits", func() bool { return r.inc.shared.Requests.Used() > waitBytes })
			r.kicks("eve")
			eve.hears(`"sanctioned"`, `"left"`, isOut, `"id":12,"error":{"code":1008`)
		},
		"joining": func(r *foldRig, eve *client) {
			eve.asks("join")
			eve.is(joining)
			r.kicks("eve")
			r.passes("join")
			eve.hears(isMember)
		},
		"catching up": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			r.says("for eve")
			r.kicks("eve")
			r.says("not for eve")
			eve.is(putOut)
			eve.asks("chat", "history", "join")
			eve.hears(`"id":11,"error":{"code":1003`, `"id":12,"error":{"code":1003`, `"id":13,"error":{"code":1003`)
			close(r.archive.gate)
			eve.hears(isMember, `"for eve"`, `"sanctioned"`, `"left"`, isOut)
			eve.is(absent)
			eve.hearsNothing()
		},
		"catching up, what waits for the result": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			eve.asks("history", "join")
			await.That(t, "both wait", func() bool {
				eve.s.mu.Lock()
				defer eve.s.mu.Unlock()
				return len(eve.s.places["a"].result.followers) == 2
			})
			r.kicks("eve")
			close(r.archive.gate)
			eve.hears(isMember, `"sanctioned"`, `"left"`, isOut, `"id":11,"error":{"code":1003`, `"id":12,"error":{"code":1003`)
		},
		"catching up, and leaves": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			r.kicks("eve")
			eve.is(putOut)
			eve.asks("leave")
			eve.keepsBack(1)
			close(r.archive.gate)
			eve.hears(isMember, `"sanctioned"`, `"left"`, hasLeft)
			eve.is(absent)
		},
		"catching up, leaves and joins": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			eve.asks("leave", "join")
			eve.keepsBack(2)
			r.kicks("eve")
			eve.asks("leave", "join")
			eve.keepsBack(4)
			close(r.archive.gate)
			eve.hears(`"id":10,`+isMember, `"sanctioned"`, `"left"`, `"id":11,`+hasLeft)
			r.passes("join") // that of the other two is taken back by the last one
			eve.hears(`"id":12,`+isMember, `"id":13,`+hasLeft, `"id":14,`+isMember)
			r.says("for eve")
			eve.hears(`"for eve"`)
		},
		"catching up, and disconnects": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			r.kicks("eve")
			eve.isCut()
			eve.s.leaveAll(time.Now().Add(time.Minute))
			close(r.archive.gate)
			eve.isGone()
		},
		"catching up, and may no longer join": func(r *foldRig, eve *client) {
			r.catchesUp(eve)
			r.kicks("eve")
			eve.asks("leave")
			eve.keepsBack(1)
			answerTo(r.t, eve.ws, helloWith(tokenAllowing(r.t, "eve", "chat")))
			close(r.archive.gate)
			eve.hears(`"id":10,"error":{"code":1002`, `"id":11,`+hasLeft)
			eve.is(absent)
			eve.hearsNothing()
		},
		"leaving": func(r *foldRig, eve *client) {
			eve.joins()
			eve.asks("leave")
			eve.is(leaving)
			r.kicks("eve")
			eve.hears(`"sanctioned"`, `"left"`, hasLeft)
			eve.asks("join")
			eve.is(joining)
			r.passes("leave")
			r.passes("join")
			eve.hears(isMember)
			r.says("for eve")
			eve.hears(`"for eve"`)
		},
		"rejoining": func(r *foldRig, eve *client) {
			eve.joins()
			eve.asks("leave", "join")
			eve.is(rejoining)
			r.kicks("eve")
			eve.hears(`"sanctioned"`, `"left"`, hasLeft)
			r.passes("leave")
			r.passes("join")
			eve.hears(isMember)
		},
		"quitting": func(r *foldRig, eve *client) {
			eve.joins()
			eve.asks("leave", "join")
			eve.is(rejoining)
			eve.isCut()
			eve.s.leaveAll(time.Now().Add(time.Minute))
			eve.is(quitting)
			r.kicks("eve")
			eve.is(withdrawing)
			r.passes("leave")
			r.passes("join")
			r.passes("leave")
			eve.isGone()
		},
		"lingering": func(r *foldRig, eve *client) {
			eve.joins()
			r.inc.channels.mu.Lock()
			r.inc.channels.left["a"] = time.Now()
			r.inc.channels.mu.Unlock()
			eve.asks("leave")
			eve.is(lingering)
			r.kicks("eve")
			eve.hears(`"sanctioned"`, `"left"`, hasLeft)
			eve.is(absent)
			eve.joins()
		},
		"unwanted": func(r *foldRig, eve *client) {
			eve.asks("join")
			eve.is(joining)
			eve.isCut()
			r.passes("join")
			eve.is(unwanted)
			r.kicks("eve")
			eve.isGone()
		},
		"its leave waits for its user": func(r *foldRig, eve *client) {
			eve.joins()
			eve.isCut()
			await.That(t, "its leave waits", func() bool {
				ch := r.inc.channels.get("a")
				ch.Lock()
				defer ch.Unlock()
				return len(ch.departing) == 1
			})
			r.kicks("eve")
			eve.isGone()
		},
	} {
		for _, alone := range []bool{true, false} {
			if name == "lingering" && !alone {
				continue
			}
			t.Run(fmt.Sprint(name, "/alone ", alone), func(t *testing.T) {
				t.Parallel()
				r := newFoldRig(t)
				if strings.HasPrefix(name, "catching up") {
					r.archive.gate = make(chan struct{})
				}
				if !alone { // the channel stays
					bob := r.enters("bob")
					bob.asks("join")
					r.passes("join")
				}
				c(r, r.enters("eve"))
			})
		}
	}
}

// catchesUp has a client join with a result that waits for the archive.
func (r *foldRig) catchesUp(c *client) {
	r.t.Helper()
	c.asks(rpc.MethodJoin)
	r.passes("join")
	c.is(catchingUp)
}
