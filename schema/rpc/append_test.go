package rpc

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func drawMessage(t *rapid.T) Message {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\x00b", "\u2028", `"\`, "<b>&", "大厅", "\x7f"}))
	return Message{
		Channel: text.Draw(t, "channel"), Seq: rapid.Int64Min(1).Draw(t, "seq"), ID: text.Draw(t, "id"),
		User: text.Draw(t, "user"), To: text.Draw(t, "to"), Body: text.Draw(t, "body"),
		Time: rapid.Int64().Draw(t, "time"), Trace: text.Draw(t, "trace"),
	}
}

// What is encoded by hand is what encoding/json makes of the types.
func TestHandWrittenEncodingIsTheTypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, n := drawMessage(t), drawMessage(t)
		compare(t, "message", AppendMessage(nil, &m), m)
		stored := [][]byte{AppendMessage(nil, &m), AppendMessage([]byte{}, &n)}
		prev := rapid.Int64().Draw(t, "prev")
		want := AppendPush(nil, PushChat, ChatPush{Message: m, Prev: prev})
		if push := AppendChatPush(nil, stored[0], prev); string(push) != string(want) {
			t.Fatalf("push\n%s\nwant\n%s", push, want)
		}
		flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
		members := []Member{{User: m.User}, {User: n.User}}
		join := JoinResult{
			Channel: m.Channel, Epoch: m.ID, Seq: m.Seq, Last: n.Seq, Members: members, Count: 3,
			Messages: []Message{m, n}, More: flag("more"), Partition: 3, Reason: n.To, Degraded: flag("degraded"),
		}
		if flag("recovery") {
			recovered := flag("recovered")
			join.Recovered = &recovered
		}
		compare(t, "join", AppendJoinResult(nil, &join, stored), join)
		history := HistoryResult{Epoch: m.ID, Messages: []Message{m, n}, More: flag("older"), Newer: flag("newer"), Older: n.To}
		compare(t, "history", AppendHistoryResult(nil, &history, stored), history)
		listed := MembersResult{Members: members, Count: 7}
		compare(t, "members", AppendMembersResult(nil, &listed), listed)
	})
	compare(t, "nobody", AppendMembersResult(nil, &MembersResult{}), MembersResult{Members: []Member{}})
	compare(t, "no messages", AppendHistoryResult(nil, &HistoryResult{}, nil), HistoryResult{Messages: []Message{}})
}

func compare(t rapid.TB, what string, got []byte, v any) {
	t.Helper()
	if want := AppendJSON(nil, v); string(got) != string(want) {
		t.Fatalf("%s\n%s\nwant\n%s", what, got, want)
	}
}

func TestErrorsAreJSON(t *testing.T) {
	var r struct{ Error Error }
	if err := json.Unmarshal(AppendError(nil, []byte("1"), TooLarge(5)), &r); err != nil || r.Error.Data.Limit != 5 {
		t.Errorf("%+v, %v", r, err)
	}
}
