package chat

import (
	"strconv"

	"github.com/parley-chat/parley/schema/rpc"
)

// failed is the code of every answer that is an error.
const failed = "500"

// names of errors, for programs.
var names = map[int]string{
	rpc.CodeParse: "parse", rpc.CodeInvalidRequest: "invalid", rpc.CodeNoMethod: "no_route", rpc.CodeInvalidParams: "invalid",
	rpc.CodeUnauthenticated: "unauthenticated", rpc.CodeForbidden: "forbidden", rpc.CodeNotJoined: "not_entered",
	rpc.CodeTooManyChannels: "too_many_rooms", rpc.CodeRateLimited: "rate_limited", rpc.CodeTooLarge: "too_large",
	rpc.CodeUnavailable: "unavailable", rpc.CodeHistoryUnavailable: "history_unavailable", rpc.CodeSanctioned: "sanctioned",
	rpc.CodeGone: "gone", rpc.CodeFull: "full",
}

func nameOf(code int) string {
	if name, known := names[code]; known {
		return name
	}
	return "internal"
}

// appendError appends the body of an answer that is an error. The client of pinus
// replaces error, so everything is in a field of its own besides.
func appendError(b []byte, e *rpc.Error) []byte {
	b = append(b, `{"code":`+failed+`,"error":"`...)
	b = append(append(b, nameOf(e.Code)...), '"')
	b = appendDetails(b, e)
	if e.Data != nil && e.Data.Retry > 0 {
		b = strconv.AppendInt(append(b, `,"retry":`...), e.Data.Retry, 10)
	}
	return append(b, '}')
}

// appendOwnError is appendError for what was asked in Parley's own terms: error is
// that of JSON-RPC.
func appendOwnError(b []byte, e *rpc.Error) []byte {
	b = rpc.AppendJSON(append(b, `{"code":`+failed+`,"error":`...), e)
	return append(appendDetails(b, e), '}')
}

func appendDetails(b []byte, e *rpc.Error) []byte {
	b = appendString(append(b, `,"message":`...), e.Message)
	return strconv.AppendInt(append(b, `,"parley":`...), int64(e.Code), 10)
}

// appendTaken appends the answer to a user who is in the room already: error is
// true, as chatofpomelo has it.
func appendTaken(b []byte) []byte {
	b = append(b, `{"code":`+failed+`,"error":true`...)
	return append(appendDetails(b, &rpc.Error{Code: rpc.CodeForbidden, Message: "forbidden: the user is in this room already"}), '}')
}
