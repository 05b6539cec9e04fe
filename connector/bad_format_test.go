package connector

import (
	"testing"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// While the log's format is 1, what came with format 2 is not known, whatever else is
// wrong with it. What means the same as nothing is fine.
func TestBadInFormat1(t *testing.T) {
	t.Parallel()
	r := newBadRig(t)
	r.inc.log.Format = 1
	for name, c := range map[string]struct {
		method, params string
		code           int
		field          string
	}{
		"edit": {"edit", `{"channel":"a","seq":1,"body":"x"}`, rpc.CodeNoMethod, ""}, "edit without params": {"edit", `{}`, rpc.CodeNoMethod, ""}, "edit with a bad seq": {"edit", `{"channel":"a","seq":-1,"body":"x"}`, rpc.CodeNoMethod, ""},
		"delete": {"delete", `{"channel":"a","seq":1}`, rpc.CodeNoMethod, ""}, "delete with a number for a channel": {"delete", `{"channel":1}`, rpc.CodeNoMethod, ""},
		"react": {"react", `{"channel":"a","seq":1,"name":"x"}`, rpc.CodeNoMethod, ""}, "pin": {"pin", `{"channel":"a","seq":1}`, rpc.CodeNoMethod, ""},
		"reactions": {"reactions", `{"channel":"a","seq":1}`, rpc.CodeNoMethod, ""}, "pins": {"pins", `{"channel":"a"}`, rpc.CodeNoMethod, ""},
		"mute": {"mute", `{"channel":"a","user":"eve"}`, rpc.CodeNoMethod, ""}, "ban": {"ban", `{"channel":"a","user":"eve"}`, rpc.CodeNoMethod, ""}, "kick without params": {"kick", `{}`, rpc.CodeNoMethod, ""}, "lift": {"lift", `{"channel":"a","user":"eve"}`, rpc.CodeNoMethod, ""},
		"purge with a bad since": {"purge", `{"channel":"a","user":"eve","since":-1}`, rpc.CodeNoMethod, ""}, "set": {"set", `{"channel":"a","slow":1}`, rpc.CodeNoMethod, ""}, "sanctions": {"sanctions", `{"channel":"a"}`, rpc.CodeNoMethod, ""},
		"signal": {"signal", `{"channel":"a","name":"x"}`, rpc.CodeNoMethod, ""}, "signal without params": {"signal", `{}`, rpc.CodeNoMethod, ""},
		"history of answers": {"history", `{"channel":"a","reply":1}`, rpc.CodeInvalidParams, "reply"}, "history of a user": {"history", `{"channel":"a","user":"bob"}`, rpc.CodeInvalidParams, "user"},
		"chat with a type": {"chat", `{"channel":"a","body":"x","type":"t"}`, rpc.CodeInvalidParams, "type"}, "chat with data": {"chat", `{"channel":"a","body":"x","data":0}`, rpc.CodeInvalidParams, "data"},
		"chat with a reply": {"chat", `{"channel":"a","body":"x","reply":1}`, rpc.CodeInvalidParams, "reply"}, "chat with mentions": {"chat", `{"channel":"a","body":"x","mentions":["bob"]}`, rpc.CodeInvalidParams, "mentions"},
		"chat with nothing in them": {"chat", `{"channel":"a","body":"x","type":"text","data":null,"mentions":[],"retry":true}`, rpc.CodeNotJoined, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r.over(t, "ada", func(ws *websocket.Conn) {
				a, text := answerOf(t, ws, requestFor(c.method, c.params))
				if a.Error == nil || a.Error.Code != c.code || c.field != "" && (a.Error.Data == nil || a.Error.Data.Field != c.field) {
					t.Errorf("it is answered %s, want %d %s", text, c.code, c.field)
				}
			})
		})
	}
}
