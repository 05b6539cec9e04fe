package connector

import (
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/eventlog"
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
	var chat heldEvent
	eventually(t, "the chat is published", func() (ok bool) {
		chat, ok = r.log.take()
		return ok
	})
	chat.done(eventlog.Ack{Offset: r.offset + 1})
	eve.hears(`"result":{"id"`)
	if err := eve.ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":50,"method":"history","params":{"channel":"a","limit":1}}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the history waits", func() bool { return r.inc.shared.Requests.Used() > 0 })
	r.moderates(&schema.Sanction{User: "eve", Action: schema.Sanction_ACTION_BAN})
	eve.hears(`"sanctioned"`, `"left"`, isOut)
	r.says("secret")
	eve.hears(`"code":1003`)
}
