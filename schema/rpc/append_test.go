package rpc

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

var texts = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\x00b", "\u2028", `"\`, "<b>&", "大厅", "\x7f"}))

var values = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`null`), json.RawMessage(`{"a":[1,"<b>&"]}`)})

func drawMessage(t *rapid.T) Message {
	m := Message{
		Channel: texts.Draw(t, "channel"), Seq: rapid.Int64Min(1).Draw(t, "seq"), ID: texts.Draw(t, "id"),
		User: texts.Draw(t, "user"), Info: values.Draw(t, "info"), To: texts.Draw(t, "to"), Body: texts.Draw(t, "body"),
		Type: texts.Draw(t, "type"), Data: values.Draw(t, "data"), Reply: rapid.Int64Range(0, 9).Draw(t, "reply"),
		Mentions: rapid.SliceOfN(texts, 0, 2).Draw(t, "mentions"), Origin: texts.Draw(t, "origin"), Key: texts.Draw(t, "key"),
		Time: rapid.Int64().Draw(t, "time"), Trace: texts.Draw(t, "trace"),
	}
	if rapid.Bool().Draw(t, "edited") {
		m.Edited = &Edited{Seq: m.Seq, Time: m.Time}
	}
	if rapid.Bool().Draw(t, "deleted") {
		m.Deleted = &Deleted{Seq: m.Seq, By: Author{User: m.User, Key: m.Key}, Reason: m.Body}
	}
	if rapid.Bool().Draw(t, "reactions") {
		m.Reactions = []Reaction{{texts.Draw(t, "name"), 1}, {"b", 2}}
	}
	return m
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
		members := []Member{{User: m.User, Info: m.Info}, {User: n.User}}
		changes, reacted, mine := drawChanges(t, &m)
		join := JoinResult{
			Channel: m.Channel, Epoch: m.ID, Seq: m.Seq, Last: n.Seq, Members: members, Count: 3,
			Messages: []Message{m, n}, More: flag("more"), Partition: 3, Reason: n.To, Degraded: flag("degraded"),
			Asof: n.Seq, Clast: prev, Changes: changes, Reacted: reacted, Mine: mine, Settings: Settings{Slow: 3, Topic: m.Body, Data: n.Info, Pins: []int64{m.Seq}},
		}
		if flag("muted") {
			join.Sanction = &Sanction{User: m.User, Action: SanctionMute, Reason: m.Body, By: Author{User: n.User}, Seq: n.Seq}
		}
		if flag("recovery") {
			recovered := flag("recovered")
			join.Recovered = &recovered
		}
		compare(t, "join", AppendJoinResult(nil, &join, stored), join)
		history := HistoryResult{
			Epoch: m.ID, Messages: []Message{m, n}, More: flag("older"), Newer: flag("newer"), Older: n.To,
			Asof: m.Seq, Seq: n.Reply, Changes: changes, Reacted: reacted, Mine: mine, Next: m.Reply,
		}
		compare(t, "history", AppendHistoryResult(nil, &history, stored), history)
		pins := PinsResult{Messages: []Message{m, n}, Asof: m.Seq, Mine: mine, More: flag("others")}
		compare(t, "pins", AppendPinsResult(nil, &pins, stored), pins)
		listed := MembersResult{Members: members, Count: 7}
		compare(t, "members", AppendMembersResult(nil, &listed), listed)
	})
	compare(t, "nobody", AppendMembersResult(nil, &MembersResult{}), MembersResult{Members: []Member{}})
	compare(t, "no messages", AppendHistoryResult(nil, &HistoryResult{}, nil), HistoryResult{Messages: []Message{}})
}

func drawChanges(t *rapid.T, m *Message) (changes []Change, reacted []Reacted, mine []Mine) {
	if rapid.Bool().Draw(t, "changes") {
		kind := m.Type
		changes = []Change{
			{Channel: m.Channel, Seq: m.Seq, Target: 1, User: m.User, To: m.To, ID: m.ID, Edit: &Edit{Body: m.Body, Type: &kind, Data: m.Data}},
			{Seq: m.Seq, By: &Author{Key: m.Key}, Purge: &PurgeChange{User: m.User}},
		}
	}
	if rapid.Bool().Draw(t, "reacted") {
		reacted = []Reacted{{m.Seq, map[string]int{m.Body: 1, "b": 0}}}
		mine = []Mine{{m.Seq, []string{m.Body}}}
	}
	return changes, reacted, mine
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
