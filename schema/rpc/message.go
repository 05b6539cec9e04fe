package rpc

// Message is one chat, in a push, in history and in recovery alike.
type Message struct {
	Channel string `json:"channel"`
	// Seq is the message's position in its channel: its offset in the log.
	Seq  int64  `json:"seq"`
	ID   string `json:"id"`
	User string `json:"user"`
	// To makes the message private: User and To alone see it.
	To   string `json:"to,omitempty"`
	Body string `json:"body"`
	// Time in milliseconds since the Unix epoch, UTC; never for ordering.
	Time int64 `json:"time"`
	// Trace is the W3C trace id of the message's way, in hex.
	Trace string `json:"trace,omitempty"`
}

// VisibleTo reports whether user may see the message.
func (m *Message) VisibleTo(user string) bool {
	return m.To == "" || m.User == user || m.To == user
}

// Member is a user who is in a channel with at least one session.
type Member struct {
	User string `json:"user"`
}
