package projector

import (
	"math"

	"github.com/parley-chat/parley/schema"
)

// row is an event as the table of events holds it.
type row struct {
	partition int32
	channel   string
	seq       int64
	kind      string
	user, to  string
	id, body  string
	session   string
	connector string
	time      int64 // milliseconds
	reason    string
	void      bool
	trace     string
	version   int32
	more      *more // nil for most
}

// maxTime is the latest time that the table can hold, in milliseconds.
const maxTime = math.MaxInt64 / 1_000_000

// rowSize is about what a row takes beside its strings.
const rowSize = 160

func (r *row) size() int {
	n := rowSize + len(r.channel) + len(r.user) + len(r.to) + len(r.id) + len(r.body) + len(r.session) + len(r.connector) + len(r.trace) + len(r.reason)
	if r.more != nil {
		n += r.more.size()
	}
	return n
}

// rowOf is the event at seq as a row; false for an event of the log
// itself.
func rowOf(seq int64, e *schema.Event) (row, bool) {
	r := row{seq: seq, channel: e.Channel(), connector: e.Connector, time: min(max(e.Time, 0), maxTime)}
	switch k := e.Kind.(type) {
	case *schema.Event_Join:
		r.kind, r.user, r.session = "join", k.Join.User, k.Join.Session
		if len(k.Join.Info) > 0 {
			r.more = &more{info: string(k.Join.Info)}
		}
	case *schema.Event_Chat:
		c := k.Chat
		r.kind, r.user, r.session = "chat", c.User, c.Session
		r.to, r.id, r.body, r.trace = c.To, c.Id, c.Body, c.Trace
		if e.Needs() > 1 {
			r.more = &more{
				info: string(c.Info), origin: c.Origin, key: c.Key, kind: c.Type, data: string(c.Data), reply: c.Reply, mentions: c.Mentions,
			}
		}
	case *schema.Event_Leave:
		r.kind, r.user, r.session, r.reason = "leave", k.Leave.User, k.Leave.Session, k.Leave.Reason.Name()
	case *schema.Event_Down:
		r.kind, r.connector, r.reason = "down", k.Down.Connector, k.Down.Reason.Name()
	default:
		return r, r.act(e)
	}
	return r, true
}
