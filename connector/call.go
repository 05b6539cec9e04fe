package connector

import (
	"sync/atomic"

	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema/rpc"
)

// call is one request. It is answered exactly once; a notification never.
type call struct {
	session  *session
	method   string
	id       []byte // nil: a notification
	span     tracing.Span
	cost     int  // bytes that count until it is answered
	quiet    bool // it is not counted among the requests of clients
	answered atomic.Bool
}

func (c *call) result(result any) {
	c.reply(func(b []byte) []byte { return rpc.AppendJSON(b, result) })
}

// reply answers with the result that write appends.
func (c *call) reply(write func([]byte) []byte) { c.respond(nil, write) }

// fail answers with an error.
func (c *call) fail(e *rpc.Error) { c.respond(e, nil) }

// respond answers with an error, or with the result that write appends.
func (c *call) respond(e *rpc.Error, write func([]byte) []byte) {
	if c.answered.Swap(true) {
		return
	}
	if !c.quiet {
		c.session.inc.metrics.answered(c.session.protocol, c.method, e)
	}
	<-c.session.unanswered
	switch front := c.session.front; {
	case c.id == nil:
	case e != nil:
		front.Refuse(c.id, e)
	default:
		front.Answer(c.id, write)
	}
	c.session.front.Release(c.cost)
	c.endSpan(e)
}

// abandon lets go of a request that nobody waits for any more: its session has
// ended.
func (c *call) abandon() {
	if !c.answered.Swap(true) {
		c.session.front.Release(c.cost)
	}
}

// reserve counts n bytes more until the call is answered; false: there is no room
// for them, and the call is to be refused.
func (c *call) reserve(n int) bool {
	if !c.session.front.Reserve(n) {
		return false
	}
	c.cost += n
	return true
}
