package rpc

import "encoding/json"

// Message is one chat, in a push, in history and in recovery alike. What came
// after it, edits, a deletion and reactions, is folded into it.
type Message struct {
	Channel string `json:"channel"`
	// Seq is the message's position in its channel: its offset in the log.
	Seq  int64  `json:"seq"`
	ID   string `json:"id"`
	User string `json:"user"`
	// Info is what the user's token told of them then: any JSON.
	Info json.RawMessage `json:"info,omitempty"`
	// To makes the message private: User and To alone see it.
	To   string `json:"to,omitempty"`
	Body string `json:"body"`
	// Type is what the message is; "" stands for text.
	Type string `json:"type,omitempty"`
	// Data is what programs make of it: any JSON.
	Data json.RawMessage `json:"data,omitempty"`
	// Reply is the seq of the message that this one answers.
	Reply int64 `json:"reply,omitempty"`
	// Mentions are the users whom it is meant for.
	Mentions []string `json:"mentions,omitempty"`
	// Origin is OriginBackend for what a backend published, with the name of its
	// key.
	Origin string `json:"origin,omitempty"`
	Key    string `json:"key,omitempty"`
	// Time in milliseconds since the Unix epoch, UTC; never for ordering.
	Time int64 `json:"time"`
	// Trace is the W3C trace id of the message's way, in hex.
	Trace string `json:"trace,omitempty"`
	// Edited says when it was last edited.
	Edited *Edited `json:"edited,omitempty"`
	// Deleted says who took it away: no text and no reactions are left then.
	Deleted *Deleted `json:"deleted,omitempty"`
	// Reactions, by name: the one that came first is first.
	Reactions []Reaction `json:"reactions,omitempty"`
}

// OriginBackend is the origin of a message that no client published.
const OriginBackend = "backend"

// TypeText is the type of a message that has none.
const TypeText = "text"

// VisibleTo reports whether user may see the message.
func (m *Message) VisibleTo(user string) bool {
	return m.To == "" || m.User == user || m.To == user
}

// Edited says when a message was last edited.
type Edited struct {
	Seq  int64 `json:"seq"`
	Time int64 `json:"time"`
}

// Deleted says who took a message away, when, and why.
type Deleted struct {
	Seq    int64  `json:"seq"`
	Time   int64  `json:"time"`
	By     Author `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// Author is who acted: a user, or a key of the server's API.
type Author struct {
	User string `json:"user,omitempty"`
	Key  string `json:"key,omitempty"`
}

// Reaction is how many users react to a message with a name.
type Reaction struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Mine are the names that the asking user reacts with to a message.
type Mine struct {
	Seq   int64    `json:"seq"`
	Names []string `json:"names"`
}

// Change is an edit, a deletion or a purge, of which one is there.
type Change struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
	// Target is the message that is changed; 0 with Purge.
	Target int64 `json:"target,omitempty"`
	// User did it, or a key as that user; "" with Purge.
	User string `json:"user,omitempty"`
	Key  string `json:"key,omitempty"`
	// By did the purge.
	By *Author `json:"by,omitempty"`
	// To is that of the message, which makes the change as private.
	To     string       `json:"to,omitempty"`
	Time   int64        `json:"time"`
	ID     string       `json:"id"`
	Edit   *Edit        `json:"edit,omitempty"`
	Delete *Deletion    `json:"delete,omitempty"`
	Purge  *PurgeChange `json:"purge,omitempty"`
}

// Edit is what a message says from then on.
type Edit struct {
	Body string `json:"body"`
	// Type; nil: as before. TypeText takes it away.
	Type *string `json:"type,omitempty"`
	// Data; nil: as before. null takes it away.
	Data json.RawMessage `json:"data,omitempty"`
}

// Deletion takes a message away.
type Deletion struct {
	Reason string `json:"reason,omitempty"`
}

// PurgeChange takes away all messages of a user in [Since, the change's own seq).
type PurgeChange struct {
	User   string `json:"user"`
	Since  int64  `json:"since"`
	Reason string `json:"reason,omitempty"`
}

// Reacted is how many users react to a message, by the names that changed; 0:
// nobody does any more.
type Reacted struct {
	Target int64          `json:"target"`
	Counts map[string]int `json:"counts"`
}

// Settings are what moderators have set of a channel.
type Settings struct {
	// Seq, Time and By are of what was set last; absent where nothing was.
	Seq  int64   `json:"seq,omitempty"`
	Time int64   `json:"time,omitempty"`
	By   *Author `json:"by,omitempty"`
	// Slow is how many seconds are between two messages of a user; 0: any.
	Slow int64 `json:"slow"`
	// Frozen: moderators alone may write.
	Frozen bool   `json:"frozen"`
	Topic  string `json:"topic"`
	// Data is what programs make of it, any JSON; null: nothing.
	Data json.RawMessage `json:"data"`
	// Pins are the messages that are pinned, the newest pin first.
	Pins []int64 `json:"pins"`
}

// Member is a user who is in a channel with at least one session.
type Member struct {
	User string `json:"user"`
	// Info is what the token of their newest join told of them: any JSON.
	Info json.RawMessage `json:"info,omitempty"`
}
