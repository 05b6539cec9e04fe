package connector

import (
	"encoding/json"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// crowdRetry is when somebody in a channel that is too large for signals may ask
// again, in milliseconds.
const crowdRetry = 60_000

// signalCall is a request to tell the others in a channel something.
type signalCall struct {
	*call
	place  *place
	signal *schema.Signal
}

func (c *call) signal(r rpc.Request) *rpc.Error {
	s := c.session
	var q rpc.SignalParams
	bad := rpc.Decode(r.Params, &q)
	if s.inc.format(q.Channel) < 2 {
		return &errNoMethod
	}
	if bad == nil {
		bad = checkSignal(&q)
	}
	if bad != nil {
		return bad
	}
	p, bad := s.placeFor(grants.Signal, q.Channel)
	if bad == nil {
		bad = s.pace.signal()
	}
	if bad != nil {
		return bad
	}
	p.afterJoin(&signalCall{c, p, &schema.Signal{Channel: q.Channel, User: s.user, Name: q.Name, Data: q.Data}})
	return nil
}

// checkSignal checks q, and makes data of null none.
func checkSignal(q *rpc.SignalParams) *rpc.Error {
	if bad := params.CheckName("channel", q.Channel); bad != nil {
		return bad
	}
	if len(q.Name) == 0 || len(q.Name) > schema.MaxSignalName {
		return rpc.InvalidParams("name", "must be 1 to 64 bytes")
	}
	if bad := params.CheckData(q.Data, schema.MaxSignalData); bad != nil {
		return bad
	}
	if params.IsNull(q.Data) {
		q.Data = nil
	}
	q.Data = json.RawMessage(append([]byte(nil), q.Data...)) // which must not hold on to the frame
	return nil
}

// passed answers at once, also where the result of the join is being made.
func (n *signalCall) passed(ch *channel) bool {
	if bad := n.take(ch); bad != nil {
		n.fail(bad)
	} else {
		n.result(rpc.Empty{})
	}
	return true
}

func (n *signalCall) answer(*channel) {}

func (n *signalCall) refused(bad *rpc.Error) { n.fail(bad) }

// keep counts the signal's bytes until it is answered: it waits.
func (n *signalCall) keep() *rpc.Error {
	if !n.reserve(len(n.signal.Name) + len(n.signal.Data)) {
		return rpc.Unavailable(retryAfter)
	}
	return nil
}

// take has the signal passed on. Both locks are held.
func (n *signalCall) take(ch *channel) *rpc.Error {
	inc, p := n.session.inc, n.place
	if bad := n.session.allowedNow(grants.Signal, p.name); bad != nil {
		return bad
	}
	if bad := p.out(ch); bad != nil {
		return bad
	}
	if bad := p.silenced(ch); bad != nil {
		return inc.metrics.refuse(bad.Data.Action, bad)
	}
	if ch.Count() > inc.limits.Presence {
		return &rpc.Error{Code: rpc.CodeRateLimited, Message: "rate limited: the channel has too many members for signals", Data: &rpc.ErrorData{Retry: crowdRetry}}
	}
	now := time.Now()
	n.signal.Time = inc.now().UnixMilli()
	if !inc.signals.send(p.partition, n.signal, now) {
		return &rpc.Error{Code: rpc.CodeUnavailable, Message: "unavailable: signals are not passed on now", Data: &rpc.ErrorData{Retry: retryAfter}}
	}
	return nil
}
