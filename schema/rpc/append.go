package rpc

import (
	"encoding/json"
	"slices"
	"strconv"
)

// What goes to many clients, or is long, is encoded by hand: these functions
// write what encoding/json would write for the types of this package, which a
// test compares.

// AppendMessage appends m as a JSON object.
func AppendMessage(b []byte, m *Message) []byte {
	b = slices.Grow(b, m.encodedSize())
	b = appendString(append(b, `{"channel":`...), m.Channel)
	b = strconv.AppendInt(append(b, `,"seq":`...), m.Seq, 10)
	b = appendString(append(b, `,"id":`...), m.ID)
	b = appendString(append(b, `,"user":`...), m.User)
	b = appendRaw(b, `,"info":`, m.Info)
	b = appendText(b, `,"to":`, m.To)
	b = appendString(append(b, `,"body":`...), m.Body)
	b = appendStructure(b, m)
	b = strconv.AppendInt(append(b, `,"time":`...), m.Time, 10)
	b = appendText(b, `,"trace":`, m.Trace)
	return append(appendFate(b, m), '}')
}

// appendStructure appends what few messages have: what they are, and whom they
// answer.
func appendStructure(b []byte, m *Message) []byte {
	b = appendText(b, `,"type":`, m.Type)
	b = appendRaw(b, `,"data":`, m.Data)
	if m.Reply != 0 {
		b = strconv.AppendInt(append(b, `,"reply":`...), m.Reply, 10)
	}
	if len(m.Mentions) > 0 {
		b = AppendJSON(append(b, `,"mentions":`...), m.Mentions)
	}
	b = appendText(b, `,"origin":`, m.Origin)
	return appendText(b, `,"key":`, m.Key)
}

// appendFate appends what became of a message.
func appendFate(b []byte, m *Message) []byte {
	if m.Edited != nil {
		b = AppendJSON(append(b, `,"edited":`...), m.Edited)
	}
	if m.Deleted != nil {
		b = AppendJSON(append(b, `,"deleted":`...), m.Deleted)
	}
	if len(m.Reactions) > 0 {
		b = AppendJSON(append(b, `,"reactions":`...), m.Reactions)
	}
	return b
}

// appendText appends a field that is absent where its text is empty.
func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendString(append(b, name...), text)
}

// appendRaw appends a field that is absent where it has no value. The value is
// embedded as the bytes that it came as.
func appendRaw(b []byte, name string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return b
	}
	return append(append(b, name...), value...)
}

// encodedSize is how many bytes AppendMessage writes at most, where nothing is to
// be escaped, the numbers are as large as they are in this century, and the
// message is one of text that nobody changed.
func (m *Message) encodedSize() int {
	n := len(`{"channel":"","seq":,"id":"","user":"","body":"","time":}`) + len("9999999999") + len("1790000000000")
	if m.To != "" {
		n += len(`,"to":""`) + len(m.To)
	}
	if m.Trace != "" {
		n += len(`,"trace":""`) + len(m.Trace)
	}
	return n + len(m.Channel) + len(m.ID) + len(m.User) + len(m.Body) + len(m.Info) + len(m.Data)
}

// AppendChatPush appends the push of a message, which is given as AppendMessage
// wrote it.
func AppendChatPush(b, message []byte, prev int64) []byte {
	b = append(b, `{"jsonrpc":"2.0","method":"chat","params":`...)
	return append(AppendChatParams(b, message, prev), '}')
}

// AppendChatParams appends the params of AppendChatPush.
func AppendChatParams(b, message []byte, prev int64) []byte {
	b = append(b, message[:len(message)-1]...)
	b = strconv.AppendInt(append(b, `,"prev":`...), prev, 10)
	return append(b, '}')
}

// AppendJoinResult appends r. Its messages are given as AppendMessage wrote them,
// in place of those in r.
func AppendJoinResult(b []byte, r *JoinResult, messages [][]byte) []byte {
	b = appendString(append(b, `{"channel":`...), r.Channel)
	b = appendString(append(b, `,"epoch":`...), r.Epoch)
	b = strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10)
	b = strconv.AppendInt(append(b, `,"last":`...), r.Last, 10)
	b = appendMembers(append(b, `,"members":`...), r.Members)
	b = strconv.AppendInt(append(b, `,"count":`...), int64(r.Count), 10)
	b = appendList(append(b, `,"messages":`...), messages)
	b = strconv.AppendBool(append(b, `,"more":`...), r.More)
	b = strconv.AppendInt(append(b, `,"asof":`...), r.Asof, 10)
	b = strconv.AppendInt(append(b, `,"clast":`...), r.Clast, 10)
	b = appendChanges(b, r.Changes, r.Reacted, r.Mine)
	b = AppendJSON(append(b, `,"settings":`...), &r.Settings)
	if r.Sanction != nil {
		b = AppendJSON(append(b, `,"sanction":`...), r.Sanction)
	}
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(r.Partition), 10)
	if r.Recovered != nil {
		b = strconv.AppendBool(append(b, `,"recovered":`...), *r.Recovered)
	}
	if r.Reason != "" {
		b = appendString(append(b, `,"reason":`...), r.Reason)
	}
	if r.Degraded {
		b = append(b, `,"degraded":true`...)
	}
	return append(b, '}')
}

// AppendHistoryResult appends r. Its messages are given as AppendMessage wrote
// them, in place of those in r.
func AppendHistoryResult(b []byte, r *HistoryResult, messages [][]byte) []byte {
	b = appendString(append(b, `{"epoch":`...), r.Epoch)
	b = appendList(append(b, `,"messages":`...), messages)
	b = strconv.AppendInt(append(b, `,"asof":`...), r.Asof, 10)
	if r.Seq != 0 {
		b = strconv.AppendInt(append(b, `,"seq":`...), r.Seq, 10)
	}
	b = appendChanges(b, r.Changes, r.Reacted, r.Mine)
	if r.Next != 0 {
		b = strconv.AppendInt(append(b, `,"next":`...), r.Next, 10)
	}
	b = strconv.AppendBool(append(b, `,"more":`...), r.More)
	if r.Newer {
		b = append(b, `,"newer":true`...)
	}
	if r.Older != "" {
		b = appendString(append(b, `,"older":`...), r.Older)
	}
	return append(b, '}')
}

// AppendPinsResult appends r. Its messages are given as AppendMessage wrote them,
// in place of those in r.
func AppendPinsResult(b []byte, r *PinsResult, messages [][]byte) []byte {
	b = appendList(append(b, `{"messages":`...), messages)
	b = strconv.AppendInt(append(b, `,"asof":`...), r.Asof, 10)
	b = strconv.AppendBool(append(appendChanges(b, nil, nil, r.Mine), `,"more":`...), r.More)
	return append(b, '}')
}

// appendChanges appends what results say of changes, where there is any.
func appendChanges(b []byte, changes []Change, reacted []Reacted, mine []Mine) []byte {
	if len(changes) > 0 {
		b = AppendJSON(append(b, `,"changes":`...), changes)
	}
	if len(reacted) > 0 {
		b = AppendJSON(append(b, `,"reacted":`...), reacted)
	}
	if len(mine) > 0 {
		b = AppendJSON(append(b, `,"mine":`...), mine)
	}
	return b
}

// AppendMembersResult appends r.
func AppendMembersResult(b []byte, r *MembersResult) []byte {
	b = appendMembers(append(b, `{"members":`...), r.Members)
	return append(strconv.AppendInt(append(b, `,"count":`...), int64(r.Count), 10), '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == 0xe2 {
			// 0xe2 begins U+2028 and U+2029, which encoding/json escapes.
			return AppendJSON(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendList appends encoded messages as a JSON array.
func appendList(b []byte, messages [][]byte) []byte {
	b = append(b, '[')
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m...)
	}
	return append(b, ']')
}

func appendMembers(b []byte, members []Member) []byte {
	b = append(b, '[')
	for i := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"user":`...), members[i].User)
		b = append(appendRaw(b, `,"info":`, members[i].Info), '}')
	}
	return append(b, ']')
}
