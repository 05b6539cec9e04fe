package rpc

import "encoding/json"

// The methods that the server API has beside those of clients.
const (
	MethodPublish    = "publish"
	MethodBroadcast  = "broadcast"
	MethodChannels   = "channels"
	MethodInfo       = "info"
	MethodDisconnect = "disconnect"
	MethodRevoke     = "revoke"
	MethodBar        = "bar"
	MethodGrant      = "grant"
)

// PublishParams are a message that a backend publishes on behalf of a user, who need not
// be in the channel.
type PublishParams struct {
	ChatParams
	User string `json:"user"`
	// Info is what others may know of the user: any JSON of up to 512 bytes.
	Info json.RawMessage `json:"info,omitempty"`
}

// PublishResult says where a message is stored.
type PublishResult struct {
	ID    string `json:"id"`
	Seq   int64  `json:"seq"`
	Time  int64  `json:"time"`
	Epoch string `json:"epoch"`
}

// MaxBroadcast is how many channels a broadcast names at most.
const MaxBroadcast = 1000

// BroadcastParams are a message for many channels, under one id.
type BroadcastParams struct {
	// Channels are 1 to MaxBroadcast, each once.
	Channels []string        `json:"channels"`
	User     string          `json:"user"`
	Body     string          `json:"body"`
	To       string          `json:"to,omitempty"`
	ID       string          `json:"id,omitempty"`
	Retry    bool            `json:"retry,omitempty"`
	Type     string          `json:"type,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Mentions []string        `json:"mentions,omitempty"`
	Info     json.RawMessage `json:"info,omitempty"`
	// Traceparent (W3C) is linked to the traces of the messages.
	Traceparent string `json:"traceparent,omitempty"`
}

// BroadcastResult has what became of each channel, in the order asked.
type BroadcastResult struct {
	Results []Broadcasted `json:"results"`
}

// Broadcasted is one channel's result, or its error.
type Broadcasted struct {
	Channel string `json:"channel"`
	*PublishResult
	Error *Error `json:"error,omitempty"`
}

// BackendEditParams edit on behalf of a user.
type BackendEditParams struct {
	EditParams
	User string `json:"user"`
}

// BackendDeleteParams delete on behalf of a user.
type BackendDeleteParams struct {
	DeleteParams
	User string `json:"user"`
}

// BackendReactParams react on behalf of a user.
type BackendReactParams struct {
	ReactParams
	User string `json:"user"`
}

// BackendHistoryParams ask for a page as a user sees it, or for all there is.
type BackendHistoryParams struct {
	HistoryParams
	// As whom; absent: private messages of all users too, which takes the action audit.
	As string `json:"as,omitempty"`
	// Min is a seq that the page must know of: it is waited for, for 5 s.
	Min int64 `json:"min,omitempty"`
}

// BackendSearchParams ask for messages by their words as a user sees them, or for all
// there are.
type BackendSearchParams struct {
	SearchParams
	As string `json:"as,omitempty"`
}

// BackendReactionsParams ask who reacted to a message that a user sees, or to any.
type BackendReactionsParams struct {
	ReactionsParams
	As  string `json:"as,omitempty"`
	Min int64  `json:"min,omitempty"`
}

// BackendSanctionsParams ask for the sanctions of a channel.
type BackendSanctionsParams struct {
	SanctionsParams
	Min int64 `json:"min,omitempty"`
}

// ChannelsParams ask for a page of channels that have members.
type ChannelsParams struct {
	Prefix string `json:"prefix,omitempty"`
	// After is the channel after which the page begins.
	After string `json:"after,omitempty"`
	// Limit is 1 to 1000; default 200.
	Limit *int `json:"limit,omitempty"`
}

// ChannelsResult is sorted by the bytes of the names.
type ChannelsResult struct {
	Channels []ChannelInfo `json:"channels"`
	More     bool          `json:"more"`
}

// ChannelInfo is one channel: how many users are in it, and the seq of its newest
// public message, 0 for none.
type ChannelInfo struct {
	Channel string `json:"channel"`
	Count   int    `json:"count"`
	Last    int64  `json:"last"`
}

// InfoResult is what runs.
type InfoResult struct {
	Epoch      string          `json:"epoch"`
	Format     int             `json:"format"`
	Partitions int             `json:"partitions"`
	Connectors []ConnectorInfo `json:"connectors"`
	// Sessions of the connector that answers.
	Sessions int         `json:"sessions"`
	Groups   []GroupInfo `json:"groups"`
}

// ConnectorInfo is one connector that is alive.
type ConnectorInfo struct {
	Connector string `json:"connector"`
	Address   string `json:"address"`
	Version   string `json:"version"`
	Format    int    `json:"format"`
	// Draining: it stops.
	Draining bool `json:"draining,omitempty"`
}

// GroupInfo is a consumer group, and how many events it has still to process.
type GroupInfo struct {
	Group   string `json:"group"`
	Members int    `json:"members"`
	Lag     int64  `json:"lag"`
}

// DisconnectParams end the sessions of a user, on every connector.
type DisconnectParams struct {
	User string `json:"user"`
	// Session ends that one alone.
	Session string `json:"session,omitempty"`
	// Reconnect: the client may come back.
	Reconnect bool   `json:"reconnect,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// RevokeParams end the tokens of a user, or the one with a jti.
type RevokeParams struct {
	User string `json:"user,omitempty"`
	// Before is in Unix milliseconds: tokens that were issued before then; absent: now.
	Before *int64 `json:"before,omitempty"`
	JTI    string `json:"jti,omitempty"`
	// Until is when the token runs out, in Unix milliseconds; absent: as late as a token
	// can that is issued now.
	Until  *int64 `json:"until,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// BarParams keep a user out.
type BarParams struct {
	User string `json:"user"`
	// Until is in Unix milliseconds; absent: for ever; one that has passed lifts the bar.
	Until  *int64 `json:"until,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// GrantParams replace what is granted to a user beyond their token.
type GrantParams struct {
	User string `json:"user"`
	// Grants; none of them take away what was granted.
	Grants []Grant `json:"grants"`
}

// Grant allows actions in channels, by patterns.
type Grant struct {
	Channels []string `json:"channels"`
	Allow    []string `json:"allow"`
}
