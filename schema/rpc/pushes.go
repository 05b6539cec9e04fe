package rpc

import "encoding/json"

// The methods of pushes.
const (
	PushChat       = "chat"
	PushJoined     = "joined"
	PushLeft       = "left"
	PushPresence   = "presence"
	PushRemoved    = "removed"
	PushChanged    = "changed"
	PushReacted    = "reacted"
	PushSettings   = "settings"
	PushSanctioned = "sanctioned"
	PushSignal     = "signal"
	PushDrain      = "drain"
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
	// Info is what the user's token tells of them: any JSON.
	Info json.RawMessage `json:"info,omitempty"`
	Time int64           `json:"time"`
}

// ChangedPush is a change as it happens.
type ChangedPush struct {
	Change
	// Cprev is the channel's public change before this one; 0: none.
	Cprev int64 `json:"cprev"`
}

// ReactedPush says that reactions to a message are others from Seq on.
type ReactedPush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Target  int64  `json:"target"`
	// To is that of the message, which makes the reaction as private.
	To string `json:"to,omitempty"`
	// Counts of the names that changed; 0: nobody reacts so any more. Absent where
	// the server does not know them just now.
	Counts map[string]int `json:"counts,omitempty"`
	// User, Name and Remove say which reaction it was, where it was one, in a
	// small channel.
	User   string `json:"user,omitempty"`
	Name   string `json:"name,omitempty"`
	Remove bool   `json:"remove,omitempty"`
}

// SettingsPush says that a channel's settings are others from their Seq on.
type SettingsPush struct {
	Channel string `json:"channel"`
	Settings
}

// Why a user left.
const (
	LeftLeave      = "leave"
	LeftDisconnect = "disconnect"
	LeftTimeout    = "timeout"
	LeftKicked     = "kicked"
	LeftBanned     = "banned"
	LeftBarred     = "barred"
	LeftForbidden  = "forbidden"
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
	Reason  string `json:"reason"` // LeftKicked, LeftBanned, or LeftForbidden: its user may no longer join
	// Until, with LeftBanned: when the ban ends, in Unix milliseconds; 0: never.
	Until int64 `json:"until,omitempty"`
}

// DrainPush announces a planned shutdown.
type DrainPush struct {
	// After is the time in milliseconds after which to reconnect.
	After int64 `json:"after"`
}
