package rpc

import (
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
	if m.To != "" {
		b = appendString(append(b, `,"to":`...), m.To)
	}
	b = appendString(append(b, `,"body":`...), m.Body)
	b = strconv.AppendInt(append(b, `,"time":`...), m.Time, 10)
	if m.Trace != "" {
		b = appendString(append(b, `,"trace":`...), m.Trace)
	}
	return append(b, '}')
}

// encodedSize is how many bytes AppendMessage writes at most, where nothing is to
// be escaped and the numbers are as large as they are in this century.
func (m *Message) encodedSize() int {
	n := len(`{"channel":"","seq":,"id":"","user":"","body":"","time":}`) + len("9999999999") + len("1790000000000")
	if m.To != "" {
		n += len(`,"to":""`) + len(m.To)
	}
	if m.Trace != "" {
		n += len(`,"trace":""`) + len(m.Trace)
	}
	return n + len(m.Channel) + len(m.ID) + len(m.User) + len(m.Body)
}

// AppendChatPush appends the push of a message, which is given as AppendMessage
// wrote it.
func AppendChatPush(b, message []byte, prev int64) []byte {
	b = append(b, `{"jsonrpc":"2.0","method":"chat","params":`...)
	b = append(b, message[:len(message)-1]...)
	b = strconv.AppendInt(append(b, `,"prev":`...), prev, 10)
	return append(b, `}}`...)
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
	b = strconv.AppendBool(append(b, `,"more":`...), r.More)
	if r.Newer {
		b = append(b, `,"newer":true`...)
	}
	if r.Older != "" {
		b = appendString(append(b, `,"older":`...), r.Older)
	}
	return append(b, '}')
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
		b = append(appendString(append(b, `{"user":`...), members[i].User), '}')
	}
	return append(b, ']')
}
