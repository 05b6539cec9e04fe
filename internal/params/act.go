package params

import (
	"encoding/json"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// By is who asks.
type By struct {
	User    string // on whose behalf, or who it is; "" for what a key does in its own name
	Session string // of a client
	Key     string // the name of a backend's key; "" for a client
	Trace   string
}

// author is who acts where that may be a key.
func (b *By) author() *schema.Author {
	if b.Key != "" {
		return &schema.Author{By: &schema.Author_Key{Key: b.Key}}
	}
	return &schema.Author{By: &schema.Author_User{User: b.User}}
}

// Act is a request that becomes an event of its channel, once it is allowed. Its
// params are checked.
type Act struct {
	Channel string
	ID      *string       // as it was given; nil: it was not
	Retry   bool          // it was sent before
	Reply   int64         // the message that it answers; 0: none
	Target  int64         // the message that it changes; 0: none
	Epoch   string        // in which what it names counts; "": the current one
	Lasts   time.Duration // of a mute or a ban; 0: without end
	// Moderates says that it is what moderators do, with users or the channel.
	Moderates bool
	// Event lacks its id, when it ends, and what is known of the target.
	Event *schema.Event
}

// Name gives the event its id.
func (a *Act) Name(id string) {
	switch k := a.Event.Kind.(type) {
	case *schema.Event_Chat:
		k.Chat.Id = id
	case *schema.Event_Change:
		k.Change.Id = id
	case *schema.Event_Pin:
		k.Pin.Id = id
	case *schema.Event_Sanction:
		k.Sanction.Id = id
	case *schema.Event_Purge:
		k.Purge.Id = id
	case *schema.Event_Set:
		k.Set.Id = id
	}
}

// Read reads the params of edit, delete, react, pin, mute, ban, kick, lift, purge or
// set; known: method is one of them. With an error the act has its channel alone, as
// far as it could be read.
func Read(method string, params json.RawMessage, by By, limits *rpc.Limits) (a Act, known bool, bad *rpc.Error) {
	read, known := readers[method]
	if !known {
		return Act{}, false, nil
	}
	r := reader{method: method, params: params, by: by, limits: limits}
	bad = read(&r)
	return r.act, true, bad
}

// reader reads the params of one request.
type reader struct {
	method string
	params json.RawMessage
	by     By
	limits *rpc.Limits
	act    Act
}

var readers = map[string]func(*reader) *rpc.Error{
	rpc.MethodEdit:   (*reader).edit,
	rpc.MethodDelete: (*reader).delete,
	rpc.MethodReact:  (*reader).react,
	rpc.MethodPin:    (*reader).pin,
	rpc.MethodMute:   (*reader).restrict,
	rpc.MethodBan:    (*reader).restrict,
	rpc.MethodKick:   (*reader).kick,
	rpc.MethodLift:   (*reader).lift,
	rpc.MethodPurge:  (*reader).purge,
	rpc.MethodSet:    (*reader).set,
}

// common are the params that changes and moderators' acts have.
type common struct {
	Channel string  `json:"channel"`
	ID      *string `json:"id"`
	Retry   bool    `json:"retry"`
}

// named reads the params of an act, of which given are a part. Their id is to be checked.
func (r *reader) named(params any, given *common) *rpc.Error {
	bad := rpc.Decode(r.params, params)
	r.act.Channel = given.Channel
	if bad != nil {
		return bad
	}
	r.act.ID, r.act.Retry = given.ID, given.Retry
	return CheckName("channel", given.Channel)
}
