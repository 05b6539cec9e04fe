package rpc

// The methods of pushes.
const (
	PushChat     = "chat"
	PushJoined   = "joined"
	PushLeft     = "left"
	PushPresence = "presence"
	PushRemoved  = "removed"
	PushDrain    = "drain"
)

// ChatPush is a message as it happens.
type ChatPush struct {
	Message
	// Prev is the channel's public message before this one; 0: none.
	Prev int64 `json:"prev"`
}

// JoinedPush announces that a user came.
type JoinedPush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	User    string `json:"user"`
	Time    int64  `json:"time"`
}

// Why a user left.
const (
	LeftLeave      = "leave"
	LeftDisconnect = "disconnect"
	LeftTimeout    = "timeout"
)

// LeftPush announces that a user's last session in the channel ended.
type LeftPush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	User    string `json:"user"`
	Time    int64  `json:"time"`
	Reason  string `json:"reason"`
}

// PresencePush replaces joined and left in a channel with many members.
type PresencePush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Count   int    `json:"count"`
}

// RemovedPush tells a session that it is out of a channel: it gets no push of it
// any more.
type RemovedPush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`    // where the channel was
	Reason  string `json:"reason"` // ReasonForbidden: its user may no longer join
}

// DrainPush announces a planned shutdown.
type DrainPush struct {
	// After is the time in milliseconds after which to reconnect.
	After int64 `json:"after"`
}
