package ingest

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// maxCommand is how many bytes a command has at most, as a request of the API.
const maxCommand = 1 << 20

// command is what a record asks for. Its params are checked.
type command struct {
	method string
	acts   []params.Act // one, or those of a broadcast; each has its id
	// weight is how many events it makes at most, whatever the settings. A change of it
	// needs another noteVersion.
	weight int
}

// decoder makes commands of records. Safe for concurrent use.
type decoder struct {
	topic  [16]byte // of the commands
	key    string
	limits *rpc.Limits
}

// decode reads a command of a partition. With an error it has no acts.
func (d *decoder) decode(partition int, rec *eventlog.Record) (command, *rpc.Error) {
	c := command{weight: 1}
	var envelope struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	switch {
	case rec.Value == nil:
		return c, &rpc.Error{Code: rpc.CodeParse, Message: "a record without a value, where a command should be"}
	case len(rec.Value) > maxCommand:
		return c, rpc.TooLarge(maxCommand)
	}
	if bad := rpc.Decode(rec.Value, &envelope); bad != nil {
		return c, &rpc.Error{Code: rpc.CodeParse, Message: "it takes one JSON object with method and params", Data: bad.Data}
	}
	c.method = envelope.Method
	id := idOf(d.topic, partition, rec.Offset)
	var bad *rpc.Error
	switch envelope.Method {
	case rpc.MethodPublish:
		bad = d.publish(&c, envelope.Params, id)
	case rpc.MethodBroadcast:
		bad = d.broadcast(&c, envelope.Params, id)
	case rpc.MethodEdit, rpc.MethodDelete, rpc.MethodReact:
		bad = d.onBehalf(&c, envelope.Params, id)
	default:
		bad = d.act(&c, envelope.Params, "", id)
	}
	return c, bad
}

func (d *decoder) publish(c *command, raw json.RawMessage, id string) *rpc.Error {
	var p params.Publish
	if bad := rpc.Decode(raw, &p); bad != nil {
		return bad
	}
	if bad := p.Check(d.limits); bad != nil {
		return bad
	}
	c.acts = []params.Act{d.message(&p, p.Channel, id)}
	return nil
}

func (d *decoder) broadcast(c *command, raw json.RawMessage, id string) *rpc.Error {
	var p params.Broadcast
	if bad := rpc.Decode(raw, &p); bad != nil {
		return bad
	}
	c.weight = max(1, min(len(p.Channels), rpc.MaxBroadcast))
	if bad := p.Check(d.limits); bad != nil {
		return bad
	}
	for _, channel := range p.Channels {
		c.acts = append(c.acts, d.message(&p.Publish, channel, id))
	}
	return nil
}

func (d *decoder) message(p *params.Publish, channel, id string) params.Act {
	if p.ID != nil {
		id = *p.ID
	}
	chat := p.Message(channel, id, d.key)
	return params.Act{Channel: channel, Event: &schema.Event{Kind: &schema.Event_Chat{Chat: chat}}}
}

// onBehalf reads what is done on behalf of a user.
func (d *decoder) onBehalf(c *command, raw json.RawMessage, id string) *rpc.Error {
	var p struct {
		User string `json:"user"`
	}
	if bad := rpc.Decode(raw, &p); bad != nil {
		return bad
	}
	if bad := params.CheckNewName("user", p.User); bad != nil {
		return bad
	}
	return d.act(c, raw, p.User, id)
}

func (d *decoder) act(c *command, raw json.RawMessage, user, id string) *rpc.Error {
	a, known, bad := params.Read(c.method, raw, params.By{User: user, Key: d.key}, d.limits)
	switch {
	case !known:
		return &rpc.Error{Code: rpc.CodeNoMethod, Message: "no such method"}
	case bad != nil:
		return bad
	}
	if a.ID != nil {
		id = *a.ID
	}
	a.Name(id)
	c.acts = []params.Act{a}
	return nil
}

// idLength is how many characters an id has that is made of a position.
const idLength = 26

// idOf is the id of a command that has none of its own: always the same one.
func idOf(topic [16]byte, partition int, offset int64) string {
	b := append([]byte(nil), topic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(partition))
	b = binary.BigEndian.AppendUint64(b, uint64(offset))
	sum := sha256.Sum256(b)
	return base32.StdEncoding.EncodeToString(sum[:])[:idLength]
}
