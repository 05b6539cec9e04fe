package rpc

import "fmt"

// Codes of errors: JSON-RPC's own and the protocol's.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeNoMethod       = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603

	CodeUnauthenticated    = 1001
	CodeForbidden          = 1002
	CodeNotJoined          = 1003
	CodeTooManyChannels    = 1004
	CodeRateLimited        = 1005
	CodeTooLarge           = 1006
	CodeUnavailable        = 1007
	CodeHistoryUnavailable = 1008
	CodeSanctioned         = 1009
	CodeGone               = 1010
	CodeFull               = 1011
)

// Error is the error of a response.
type Error struct {
	Code    int        `json:"code"`
	Message string     `json:"message"`
	Data    *ErrorData `json:"data,omitempty"`
}

// ErrorData says more, by the code of the error.
type ErrorData struct {
	// Action and Channel, with CodeForbidden where a grant is missing: what would
	// have to be granted, and where. Action with CodeSanctioned: which sanction.
	Action  string `json:"action,omitempty"`
	Channel string `json:"channel,omitempty"`
	// Field and Reason, with CodeInvalidParams. Reason with CodeForbidden where a
	// channel token is refused, or ReasonAge; there with ActionBeforeChat, and with
	// CodeSanctioned, in words for a person.
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Until, with CodeSanctioned: when it ends, in Unix milliseconds; 0: never.
	Until int64 `json:"until,omitempty"`
	// Limit, with CodeTooManyChannels, CodeTooLarge, CodeFull, and where a user has too
	// many connections.
	Limit int `json:"limit,omitempty"`
	// Retry in milliseconds, with 1005, 1007 and 1008.
	Retry int64 `json:"retry,omitempty"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

// InvalidParams is the error for a parameter that cannot be accepted.
func InvalidParams(field, reason string) *Error {
	return &Error{CodeInvalidParams, "invalid params: " + field + " " + reason, &ErrorData{Field: field, Reason: reason}}
}

// Unauthenticated is the error for a token that is not accepted.
func Unauthenticated(why string) *Error {
	return &Error{Code: CodeUnauthenticated, Message: "unauthenticated: " + why}
}

// Barred is the error for a hello of a user who is shut out, until a time in
// Unix milliseconds, or for ever where it is 0.
func Barred(until int64, reason string) *Error {
	return &Error{CodeSanctioned, "barred: an administrator has shut this user out", &ErrorData{Action: SanctionBan, Until: until, Reason: reason}}
}

// Sanctioned is the error for what a mute, a ban or a freeze of the channel stops:
// its action is SanctionMute, SanctionBan or SanctionFrozen. until is in Unix
// milliseconds; 0: for ever.
func Sanctioned(action string, until int64, reason string) *Error {
	return &Error{CodeSanctioned, "sanctioned: " + sanctionText[action], &ErrorData{Action: action, Until: until, Reason: reason}}
}

var sanctionText = map[string]string{
	SanctionMute: "the user is muted in this channel", SanctionBan: "the user is banned from this channel",
	SanctionFrozen: "moderators alone may write in this channel now",
}

// Forbidden is the error for a use of a channel that takes an action which is
// not granted.
func Forbidden(action, channel string) *Error {
	return &Error{CodeForbidden, "forbidden: " + action + " is not granted; grants come from the token's claim parley.grants, the server's --grants file and `parley grant`", &ErrorData{Action: action, Channel: channel}}
}

// ActionBeforeChat is the Action of Denied.
const ActionBeforeChat = "before-chat"

// Denied is the error for a text that the program of --before-chat refuses, for a
// reason in its words; "": it gives none.
func Denied(reason string) *Error {
	return &Error{CodeForbidden, "forbidden: the operator's program refuses this text", &ErrorData{Action: ActionBeforeChat, Reason: reason}}
}

// KeyForbidden is the error for what a backend's key does not grant. channel is empty
// for what is about no channel.
func KeyForbidden(action, channel string) *Error {
	return &Error{CodeForbidden, "forbidden: the key does not grant " + action + " here; its grants are in the server's --api-keys file, or in the token's claim parley.grants", &ErrorData{Action: action, Channel: channel}}
}

// BadChannelToken is the error for a join whose token is refused, for one of
// the reasons ReasonInvalid, ReasonExpired, ReasonRevoked and ReasonRetry.
func BadChannelToken(why, reason string, retry int64) *Error {
	return &Error{CodeForbidden, "forbidden: " + why, &ErrorData{Reason: reason, Retry: retry}}
}

// Why a channel token is refused.
const (
	ReasonInvalid = "invalid"
	ReasonExpired = "expired"
	ReasonRevoked = "revoked"
	ReasonRetry   = "retry" // its key is not known yet
)

// NotJoined is the error for a channel that the session has not joined.
func NotJoined() *Error { return &Error{Code: CodeNotJoined, Message: "not joined"} }

// TooMany is the error for one channel more than limit.
func TooMany(limit int) *Error {
	return &Error{CodeTooManyChannels, "too many channels", &ErrorData{Limit: limit}}
}

// TooLarge is the error for a body of more than limit bytes.
func TooLarge(limit int) *Error {
	return &Error{CodeTooLarge, "too large", &ErrorData{Limit: limit}}
}

// Gone is the error for a change of a message that is not there, is deleted or
// may not be seen by the user: which of these is not told.
func Gone() *Error { return &Error{Code: CodeGone, Message: "gone: there is no such message for you"} }

// Full is the error for what would be one more than a message or a channel has.
func Full(what string, limit int) *Error {
	return &Error{CodeFull, "full: " + what, &ErrorData{Limit: limit}}
}

// TooOld is the error for a change by an author who had Limits.EditAge for it.
func TooOld(action, channel string) *Error {
	return &Error{CodeForbidden, "forbidden: the message is too old to be changed", &ErrorData{Action: action, Channel: channel, Reason: ReasonAge}}
}

// ReasonAge is why an author may not change their message any more.
const ReasonAge = "age"

// RateLimited says after how many milliseconds to try again.
func RateLimited(retry int64) *Error {
	return &Error{CodeRateLimited, "rate limited", &ErrorData{Retry: retry}}
}

// Unavailable says that the log cannot take it now, or that it is unknown
// whether it did.
func Unavailable(retry int64) *Error {
	return &Error{CodeUnavailable, "unavailable: retry with the same id", &ErrorData{Retry: retry}}
}

// HistoryUnavailable says that history cannot be read in full just now.
func HistoryUnavailable(retry int64) *Error {
	return &Error{CodeHistoryUnavailable, "history unavailable", &ErrorData{Retry: retry}}
}

// Close codes. Those from 3000 to 3499 mean reconnect, those from 3500 to 3999
// mean do not.
const (
	CloseShutdown    = 3001
	CloseExpired     = 3005
	CloseSlow        = 3008
	CloseLostPlace   = 3010
	CloseNoPong      = 3012
	CloseTryLater    = 3014
	CloseBadToken    = 3500
	CloseMisuse      = 3501
	CloseNoHello     = 3502
	CloseAdmin       = 3503
	CloseConnections = 3504
)
