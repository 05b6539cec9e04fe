package connector

import (
	"strconv"

	"github.com/parley-chat/parley/schema/rpc"
)

// What goes to many members is encoded once, by hand: these functions write
// what encoding/json would write for the rpc types, which a test holds them to.

// appendMessage appends m as a JSON object.
func appendMessage(b []byte, m *rpc.Message) []byte {
	return append(appendMessageFields(append(b, '{'), m), '}')
}

func appendMessageFields(b []byte, m *rpc.Message) []byte {
	b = appendString(append(b, `"channel":`...), m.Channel)
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
	return b
}

const chatPushHead = `{"jsonrpc":"2.0","method":"chat","params":{`

// chatPush returns the push of m, and the same message as history shows it.
// The two share their bytes but for the end.
func chatPush(scratch []byte, m *rpc.Message, prev int64) (push, message []byte) {
	b := append(scratch, chatPushHead...)
	b = appendMessageFields(b, m)
	end := len(b)
	message = append(append(make([]byte, 0, end-len(chatPushHead)+2), '{'), b[len(chatPushHead):end]...)
	message = append(message, '}')
	b = strconv.AppendInt(append(b, `,"prev":`...), prev, 10)
	return append(b, `}}`...), message
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == 0xe2 {
			// 0xe2 begins U+2028 and U+2029, which encoding/json escapes.
			return rpc.AppendJSON(b, s)
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

// appendMembers appends users as a JSON array of rpc.Member.
func appendMembers(b []byte, users []string) []byte {
	b = append(b, '[')
	for i, u := range users {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, `{"user":`...), u), '}')
	}
	return append(b, ']')
}
