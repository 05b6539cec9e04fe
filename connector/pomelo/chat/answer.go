package chat

import (
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/parley-chat/parley/schema/rpc"
)

// What a request to the session is for. Its id is one of these, a number, and the
// id of the client's request: it says what to answer to whom.
const (
	forChat     = 'c' // of which only the refusal is known
	forHello    = 'h' // that nobody has asked for
	forLeave    = 'l' // likewise
	forEnter    = 'e'
	forSend     = 's'
	forOwn      = 'o' // in Parley's own terms
	forOwnHello = 'O'
)

const idHead = 5 // bytes of such an id before the client's

func idOf(kind byte, number uint32, id []byte) []byte {
	b := binary.BigEndian.AppendUint32(append(make([]byte, 0, idHead+len(id)), kind), number)
	return append(b, id...)
}

func parseID(b []byte) (kind byte, number uint32, id []byte) {
	return b[0], binary.BigEndian.Uint32(b[1:idHead]), b[idHead:]
}

// Answer answers a request with the result that write appends.
func (c *Conn) Answer(of []byte, write func([]byte) []byte) {
	switch kind, number, id := parseID(of); kind {
	case forHello:
		c.greeted(write(nil))
	case forLeave, forChat:
	case forEnter:
		c.haveEntered(number, id, write(nil))
	case forSend:
		c.haveSent(id, write(nil))
	case forOwnHello:
		result := write(nil)
		c.greeted(result)
		c.respond(id, result)
	case forOwn:
		if len(id) > 0 {
			c.Respond(id, write)
		}
	}
}

// Refuse answers a request with an error.
func (c *Conn) Refuse(of []byte, e *rpc.Error) {
	switch kind, number, id := parseID(of); kind {
	case forHello:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.refusal = e
	case forLeave:
		c.mu.Lock()
		defer c.mu.Unlock()
		if number == c.entered {
			c.stays = e
		}
	case forEnter:
		c.mu.Lock()
		if number == c.entered && number != again {
			c.room = ""
		}
		c.mu.Unlock()
		c.refuse(id, e)
	case forOwn, forOwnHello:
		c.respond(id, appendOwnError(nil, e))
	default:
		c.refuse(id, e)
	}
}

// greeted takes the result of a hello.
func (c *Conn) greeted(result []byte) {
	var r struct {
		User string `json:"user"`
	}
	_ = json.Unmarshal(result, &r) // which we have written
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user, c.refusal = r.User, nil
}

func (c *Conn) haveSent(id, result []byte) {
	var r rpc.ActResult
	_ = json.Unmarshal(result, &r)
	b := strconv.AppendInt([]byte(`{"code":200,"seq":`), r.Seq, 10)
	b = strconv.AppendInt(append(b, `,"time":`...), r.Time, 10)
	c.respond(id, append(b, '}'))
}
