package rpc

import "encoding/json"

// The methods of requests.
const (
	MethodHello     = "hello"
	MethodJoin      = "join"
	MethodChat      = "chat"
	MethodEdit      = "edit"
	MethodDelete    = "delete"
	MethodReact     = "react"
	MethodPin       = "pin"
	MethodLeave     = "leave"
	MethodHistory   = "history"
	MethodReactions = "reactions"
	MethodPins      = "pins"
	MethodPing      = "ping"
	MethodMembers   = "members"
	MethodMute      = "mute"
	MethodBan       = "ban"
	MethodKick      = "kick"
	MethodLift      = "lift"
	MethodPurge     = "purge"
	MethodSet       = "set"
	MethodSanctions = "sanctions"
	MethodSignal    = "signal"
	MethodSearch    = "search"
)

// Methods are all of them. Nobody changes it.
var Methods = []string{
	MethodHello, MethodJoin, MethodChat, MethodEdit, MethodDelete, MethodReact, MethodPin, MethodLeave, MethodHistory,
	MethodReactions, MethodPins, MethodPing, MethodMembers,
	MethodMute, MethodBan, MethodKick, MethodLift, MethodPurge, MethodSet, MethodSanctions, MethodSignal, MethodSearch,
}

// HelloParams open a session.
type HelloParams struct {
	// Token is a JWT; required where the server authenticates.
	Token string `json:"token,omitempty"`
	// User is taken as given where the server does not authenticate.
	User string `json:"user,omitempty"`
	// Client names the client's program, for the server's log.
	Client string `json:"client,omitempty"`
}

// HelloResult describes the session and what the server allows.
type HelloResult struct {
	Session string `json:"session"`
	User    string `json:"user"`
	// Info is what the token tells of the user, any JSON.
	Info      json.RawMessage `json:"info,omitempty"`
	Connector string          `json:"connector"`
	Epoch     string          `json:"epoch"`
	Version   int             `json:"version"`
	// Ping is the silence in milliseconds after which a client sends ping.
	Ping int64 `json:"ping"`
	// Traces is a URL with {trace} in it, where traces can be looked at.
	Traces string `json:"traces,omitempty"`
	Limits Limits `json:"limits"`
}

// Limits are what the server accepts.
type Limits struct {
	Body     int `json:"body"`      // bytes of a chat's body
	Frame    int `json:"frame"`     // bytes of a frame
	Channels int `json:"channels"`  // joined by one session
	Recover  int `json:"recover"`   // messages that a join with since returns
	Pipeline int `json:"pipeline"`  // unanswered requests
	Rate     int `json:"rate"`      // requests a second; 0: not limited
	Joins    int `json:"joins"`     // joins a second; 0: not limited
	Chats    int `json:"chats"`     // messages a second of a user in a channel; 0: not limited
	Dedupe   int `json:"dedupe"`    // events of a partition within which a retry is noticed
	Presence int `json:"presence"`  // members above which presence replaces joined and left
	Queue    int `json:"queue"`     // bytes that may wait for a slow client
	Page     int `json:"page"`      // bytes of an answer with messages or members; one message always fits
	Grace    int `json:"grace"`     // milliseconds for which a join with since recovers without the grant of history
	Data     int `json:"data"`      // bytes of the data of a message
	Edits    int `json:"edits"`     // of one message
	Pairs    int `json:"reactions"` // of user and name, to one message
	Names    int `json:"names"`     // of reactions to one message
	EditAge  int `json:"edit_age"`  // milliseconds for which the author may edit and delete a message; 0: for ever

	Moderation int `json:"moderation"` // requests of a moderator a second; 0: not limited
	Sanctions  int `json:"sanctions"`  // mutes and bans of a channel that nobody lifted
	Signals    int `json:"signals"`    // signals a second; 0: not limited
}

// JoinParams ask for membership of a channel.
type JoinParams struct {
	Channel string `json:"channel"`
	// Limit of the newest messages returned, 0 to 300; default 50.
	Limit *int `json:"limit,omitempty"`
	// Since asks for every message after it; Epoch says in which epoch it counts.
	Since *int64 `json:"since,omitempty"`
	Epoch string `json:"epoch,omitempty"`
	// Token grants what the user may do in this channel until it runs out.
	Token string `json:"token,omitempty"`
}

// Why a join with since did not recover.
const (
	ReasonEpoch       = "epoch"
	ReasonTooMany     = "too_many"
	ReasonUnavailable = "unavailable"
	ReasonForbidden   = "forbidden"
)

// JoinResult is the state of the channel at Seq, from which the session is a
// member.
type JoinResult struct {
	Channel string `json:"channel"`
	Epoch   string `json:"epoch"`
	Seq     int64  `json:"seq"`
	// Last is the newest public message at the join; 0: none.
	Last int64 `json:"last"`
	// Members holds the first 200, Count all.
	Members  []Member  `json:"members"`
	Count    int       `json:"count"`
	Messages []Message `json:"messages"`
	More     bool      `json:"more"`
	// Asof is what Messages are folded up to: at or above Seq.
	Asof int64 `json:"asof"`
	// Clast is the newest public change at the join; 0: none.
	Clast int64 `json:"clast"`
	// Changes and Reacted, with Since: of messages at or below Since.
	Changes []Change  `json:"changes,omitempty"`
	Reacted []Reacted `json:"reacted,omitempty"`
	// Mine are the user's own reactions to Messages.
	Mine     []Mine   `json:"mine,omitempty"`
	Settings Settings `json:"settings"`
	// Sanction is the mute that the user is under.
	Sanction *Sanction `json:"sanction,omitempty"`
	// Partition of the log that holds the channel.
	Partition int `json:"partition"`
	// Recovered answers Since; Reason says why it is false.
	Recovered *bool  `json:"recovered,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// Degraded: older history could not be read just now.
	Degraded bool `json:"degraded,omitempty"`
}

// ChatParams is a message to send.
type ChatParams struct {
	Channel string `json:"channel"`
	Body    string `json:"body"`
	To      string `json:"to,omitempty"`
	// ID is the client's own, the same in every retry; the server makes one
	// when it is absent.
	ID string `json:"id,omitempty"`
	// Retry: it was sent before, and the answer is to say where it stands.
	Retry bool `json:"retry,omitempty"`
	// Type is what the message is, 1 to 64 bytes; default TypeText.
	Type string `json:"type,omitempty"`
	// Data is what programs make of it: any JSON up to Limits.Data bytes.
	Data json.RawMessage `json:"data,omitempty"`
	// Reply is the seq of the message that this one answers.
	Reply int64 `json:"reply,omitempty"`
	// Mentions are up to 50 users whom it is meant for.
	Mentions []string `json:"mentions,omitempty"`
	// Traceparent (W3C) is linked to the trace of the message.
	Traceparent string `json:"traceparent,omitempty"`
}

// ActResult says that a message or a change is durable.
type ActResult struct {
	ID   string `json:"id"`
	Seq  int64  `json:"seq"`
	Time int64  `json:"time,omitempty"`
	// Unchanged: the reaction was so already, by the event at Seq, and nothing was
	// published. Seq 0: there never was one.
	Unchanged bool `json:"unchanged,omitempty"`
}

// RepeatResult answers a retry of what is in the log, nobody knows where.
type RepeatResult struct {
	ID     string `json:"id"`
	Repeat bool   `json:"repeat"`
}

// EditParams say what a message says from now on.
type EditParams struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch,omitempty"`
	Body    string `json:"body"`
	// Type and Data; absent: as before. TypeText and null take them away.
	Type *string         `json:"type,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
	// ID is the client's own, as in ChatParams.
	ID    string `json:"id,omitempty"`
	Retry bool   `json:"retry,omitempty"`
}

// DeleteParams take a message away.
type DeleteParams struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch,omitempty"`
	// Reason is for people, up to 512 bytes.
	Reason string `json:"reason,omitempty"`
	ID     string `json:"id,omitempty"`
	Retry  bool   `json:"retry,omitempty"`
}

// ReactParams add a reaction of the user's, or take it back.
type ReactParams struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch,omitempty"`
	// Name is 1 to 64 bytes, such as an emoji.
	Name   string `json:"name"`
	Remove bool   `json:"remove,omitempty"`
	ID     string `json:"id,omitempty"`
	Retry  bool   `json:"retry,omitempty"`
}

// PinParams pin a message to its channel, or take the pin away.
type PinParams struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch,omitempty"`
	Remove  bool   `json:"remove,omitempty"`
	ID      string `json:"id,omitempty"`
	Retry   bool   `json:"retry,omitempty"`
}

// ReactionsParams ask who reacted to a message.
type ReactionsParams struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	Epoch   string `json:"epoch,omitempty"`
	// Name; absent: all of them.
	Name string `json:"name,omitempty"`
	// After is the one after which the page begins.
	After *UserReaction `json:"after,omitempty"`
	// Limit is 1 to 1000; default 200.
	Limit *int `json:"limit,omitempty"`
}

// UserReaction is a user and what they react with.
type UserReaction struct {
	Name string `json:"name"`
	User string `json:"user"`
}

// ReactionsResult is sorted by the bytes of the names, then of the users.
type ReactionsResult struct {
	Users []UserReaction `json:"users"`
	More  bool           `json:"more"`
}

// PinsParams name the channel whose pinned messages are asked for.
type PinsParams struct {
	Channel string `json:"channel"`
}

// PinsResult has the pinned messages, the newest pin first, without deleted ones.
type PinsResult struct {
	Messages []Message `json:"messages"`
	Asof     int64     `json:"asof"`
	Mine     []Mine    `json:"mine,omitempty"`
	// More: others do not fit.
	More bool `json:"more"`
}

// LeaveParams name the channel to leave.
type LeaveParams struct {
	Channel string `json:"channel"`
}

// HistoryParams ask for a page; at most one of Before, After and Around.
type HistoryParams struct {
	Channel string `json:"channel"`
	Before  *int64 `json:"before,omitempty"`
	After   *int64 `json:"after,omitempty"`
	Around  *int64 `json:"around,omitempty"`
	// Epoch in which the seq counts; default: the current one.
	Epoch string `json:"epoch,omitempty"`
	// Reply asks for the answers to a message alone, User for what one user said.
	Reply *int64 `json:"reply,omitempty"`
	User  string `json:"user,omitempty"`
	// Limit is 1 to 300; default 50.
	Limit *int `json:"limit,omitempty"`
}

// HistoryResult is a page, oldest first.
type HistoryResult struct {
	Epoch    string    `json:"epoch"`
	Messages []Message `json:"messages"`
	// Asof is what Messages are folded up to.
	Asof int64 `json:"asof"`
	// Seq, with After: up to where the page has every message and every change.
	Seq int64 `json:"seq,omitempty"`
	// Changes and Reacted, with After: of messages at or below After, from there
	// up to Seq.
	Changes []Change  `json:"changes,omitempty"`
	Reacted []Reacted `json:"reacted,omitempty"`
	// Mine are the user's own reactions to Messages.
	Mine []Mine `json:"mine,omitempty"`
	// Next, with Reply or User, and More: the seq to go on at.
	Next int64 `json:"next,omitempty"`
	// More: there are older ones (with After: newer ones).
	More bool `json:"more"`
	// Newer, with Around: there are newer ones.
	Newer bool `json:"newer,omitempty"`
	// Older names an earlier epoch that has older messages of the channel.
	Older string `json:"older,omitempty"`
}

// MembersParams ask for a page of users after one of them.
type MembersParams struct {
	Channel string `json:"channel"`
	After   string `json:"after,omitempty"`
	// Limit is 1 to 1000; default 200.
	Limit *int `json:"limit,omitempty"`
}

// MembersResult is sorted by the bytes of the users' names.
type MembersResult struct {
	Members []Member `json:"members"`
	Count   int      `json:"count"`
}

// Empty is the params of ping, and the result of ping and leave.
type Empty struct{}
