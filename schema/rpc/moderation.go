package rpc

import "encoding/json"

// SanctionParams mute or ban a user, by the method.
type SanctionParams struct {
	Channel string `json:"channel"`
	User    string `json:"user"`
	// For is how many milliseconds it lasts; absent: until somebody lifts it.
	For *int64 `json:"for,omitempty"`
	// Reason is for people, up to 512 bytes.
	Reason string `json:"reason,omitempty"`
	// Purge deletes the user's messages from a seq on with it, 0: all of them;
	// absent: none. Epoch says in which epoch the seq counts.
	Purge *int64 `json:"purge,omitempty"`
	Epoch string `json:"epoch,omitempty"`
	// ID is the moderator's own, as in ChatParams.
	ID    string `json:"id,omitempty"`
	Retry bool   `json:"retry,omitempty"`
}

// KickParams end the memberships that a user has now.
type KickParams struct {
	Channel string `json:"channel"`
	User    string `json:"user"`
	Reason  string `json:"reason,omitempty"`
	ID      string `json:"id,omitempty"`
	Retry   bool   `json:"retry,omitempty"`
}

// LiftParams end a mute, a ban, or both.
type LiftParams struct {
	Channel string `json:"channel"`
	User    string `json:"user"`
	// Action is SanctionMute or SanctionBan; absent: both.
	Action string `json:"action,omitempty"`
	ID     string `json:"id,omitempty"`
	Retry  bool   `json:"retry,omitempty"`
}

// PurgeParams delete a user's messages from a seq on; absent or 0: all of them.
type PurgeParams struct {
	Channel string `json:"channel"`
	User    string `json:"user"`
	Since   int64  `json:"since,omitempty"`
	Epoch   string `json:"epoch,omitempty"`
	Reason  string `json:"reason,omitempty"`
	ID      string `json:"id,omitempty"`
	Retry   bool   `json:"retry,omitempty"`
}

// SetParams set something of a channel, at least one of Slow, Frozen, Topic and
// Data. What is absent stays as it is.
type SetParams struct {
	Channel string `json:"channel"`
	// Slow is how many seconds are between two messages of a user, up to MaxSlow; 0: any.
	Slow *int64 `json:"slow,omitempty"`
	// Frozen: moderators alone may write.
	Frozen *bool `json:"frozen,omitempty"`
	// Topic has up to 256 bytes; "" takes it away.
	Topic *string `json:"topic,omitempty"`
	// Data is any JSON of up to 1 KiB; null takes it away.
	Data  json.RawMessage `json:"data,omitempty"`
	ID    string          `json:"id,omitempty"`
	Retry bool            `json:"retry,omitempty"`
}

// MaxSlow is how many seconds slow mode takes at most.
const MaxSlow = 24 * 60 * 60

// SanctionsParams ask for the sanctions of users that follow After.
type SanctionsParams struct {
	Channel string `json:"channel"`
	After   string `json:"after,omitempty"`
	// Limit of users is 1 to 1000; default 200.
	Limit *int `json:"limit,omitempty"`
}

// SanctionsResult is sorted by the bytes of the users' names; the mute of a user
// comes before their ban.
type SanctionsResult struct {
	Sanctions []Sanction `json:"sanctions"`
	// More: there are some of users after these.
	More bool `json:"more"`
}

// The actions of sanctions. SanctionFrozen is that of a refusal where the whole
// channel is frozen.
const (
	SanctionMute   = "mute"
	SanctionBan    = "ban"
	SanctionKick   = "kick"
	SanctionLift   = "lift"
	SanctionFrozen = "frozen"
)

// Sanction is a mute or a ban that nobody has lifted.
type Sanction struct {
	User string `json:"user"`
	// Action is SanctionMute or SanctionBan.
	Action string `json:"action"`
	// Until is when it ends, in Unix milliseconds; 0: when somebody lifts it.
	Until  int64  `json:"until,omitempty"`
	Reason string `json:"reason,omitempty"`
	By     Author `json:"by"`
	Seq    int64  `json:"seq"`
}

// SanctionedPush tells a user, and moderators, what a moderator did about that user.
type SanctionedPush struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	User    string `json:"user"`
	// Action is SanctionMute, SanctionBan, SanctionKick or SanctionLift.
	Action string `json:"action"`
	// Lifted, with SanctionLift, is SanctionMute or SanctionBan; absent: both.
	Lifted string `json:"lifted,omitempty"`
	Until  int64  `json:"until,omitempty"`
	Reason string `json:"reason,omitempty"`
	By     Author `json:"by"`
	Time   int64  `json:"time"`
}

// SignalParams tell the others in a channel something that is not kept.
type SignalParams struct {
	Channel string `json:"channel"`
	// Name is what it is, 1 to 64 bytes, such as SignalTyping.
	Name string `json:"name"`
	// Data is any JSON of up to 1 KiB.
	Data json.RawMessage `json:"data,omitempty"`
}

// SignalTyping is the name of the signal of somebody who is writing.
const SignalTyping = "typing"

// SignalPush is a signal of another user. It has no place in the order of the
// channel.
type SignalPush struct {
	Channel string          `json:"channel"`
	User    string          `json:"user"`
	Name    string          `json:"name"`
	Data    json.RawMessage `json:"data,omitempty"`
	Time    int64           `json:"time"`
}
