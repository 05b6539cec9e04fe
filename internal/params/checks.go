package params

import (
	"bytes"
	"encoding/json"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// MaxSeq is the highest seq that there can be, as JSON has it exactly.
	MaxSeq = 1<<53 - 1
	// maxDepth is how deep data may be nested.
	maxDepth = 32
	// maxInfo is how many bytes what others may know of a user has, as in tokens.
	maxInfo = 512
	// maxLasting is how many milliseconds a mute or a ban lasts at most that has an end.
	maxLasting = 100 * 365 * 24 * 60 * 60 * 1000
)

// CheckName refuses a string that is not a valid name.
func CheckName(field, name string) *rpc.Error {
	if err := schema.CheckName(name); err != nil {
		return rpc.InvalidParams(field, err.Error())
	}
	return nil
}

// CheckNewName refuses names that can pass for others as well.
func CheckNewName(field, name string) *rpc.Error {
	if err := schema.CheckNewName(name); err != nil {
		return rpc.InvalidParams(field, err.Error())
	}
	return nil
}

// CheckReason refuses a reason that is too long.
func CheckReason(reason string) *rpc.Error {
	if len(reason) > schema.MaxReason {
		return rpc.InvalidParams("reason", "must be 512 bytes at most")
	}
	return nil
}

// CheckSeq refuses what cannot be the seq of a message.
func CheckSeq(seq int64) *rpc.Error {
	if seq < 1 || seq > MaxSeq {
		return rpc.InvalidParams("seq", "must be the seq of a message")
	}
	return nil
}

// CheckReaction refuses what cannot be the name of a reaction.
func CheckReaction(field, name string) *rpc.Error {
	if len(name) == 0 || len(name) > schema.MaxType {
		return rpc.InvalidParams(field, "must be 1 to 64 bytes")
	}
	return nil
}

// CheckData checks the size of data and how deep it is nested. That it is JSON, and
// of Unicode text, was seen when the request was read.
func CheckData(data json.RawMessage, most int) *rpc.Error {
	if len(data) > most {
		return rpc.TooLarge(most)
	}
	if depth(data) > maxDepth {
		return rpc.InvalidParams("data", "must not be nested more than 32 deep")
	}
	return nil
}

// IsNull reports whether data is JSON's null.
func IsNull(data json.RawMessage) bool { return bytes.Equal(data, []byte("null")) }

// Text is what a field says; "" where it is absent.
func Text(field *string) string {
	if field == nil {
		return ""
	}
	return *field
}

func checkSince(field string, seq int64) *rpc.Error {
	if seq < 0 || seq > MaxSeq {
		return rpc.InvalidParams(field, "must be a seq, or 0")
	}
	return nil
}

func checkID(id *string) *rpc.Error {
	if id != nil && (len(*id) == 0 || len(*id) > schema.MaxID) {
		return rpc.InvalidParams("id", "must be 1 to 64 bytes")
	}
	return nil
}

func checkType(kind *string) *rpc.Error {
	if kind != nil && (len(*kind) == 0 || len(*kind) > schema.MaxType) {
		return rpc.InvalidParams("type", "must be 1 to 64 bytes")
	}
	return nil
}

func checkMentions(users []string) *rpc.Error {
	if len(users) > schema.MaxMentions {
		return rpc.InvalidParams("mentions", "must be 50 users at most")
	}
	for _, user := range users {
		if bad := CheckNewName("mentions", user); bad != nil {
			return bad
		}
	}
	return nil
}

// CheckBody checks the text of a message.
func CheckBody(body string, limits *rpc.Limits) *rpc.Error {
	switch {
	case body == "":
		return rpc.InvalidParams("body", "must not be empty")
	case len(body) > limits.Body:
		return rpc.TooLarge(limits.Body)
	}
	return nil
}

// depth is how deep the arrays and objects of a JSON value are nested.
func depth(value []byte) (deepest int) {
	now, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}

// FullOfSanctions is the error for a mute or a ban beyond those that a channel takes.
func FullOfSanctions(most int) *rpc.Error {
	return rpc.Full("the channel has as many mutes and bans as it takes; lift some, such as those that have ended", most)
}
