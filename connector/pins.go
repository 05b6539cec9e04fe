package connector

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// pinsCall is a request for the pinned messages of a channel.
type pinsCall struct{ readCall }

func (c *call) pins(r rpc.Request) *rpc.Error {
	s := c.session
	var q rpc.PinsParams
	bad := rpc.Decode(r.Params, &q)
	if s.inc.format(q.Channel) < 2 {
		return &errNoMethod
	}
	if bad == nil {
		bad = params.CheckName("channel", q.Channel)
	}
	if bad != nil {
		return bad
	}
	p, bad := s.placeFor(grants.History, q.Channel)
	if bad != nil {
		return bad
	}
	p.afterJoin(&pinsCall{c.reads(p)})
	return nil
}

// answer answers once what was acknowledged to the session has passed. Pinned messages
// are old as a rule, and few.
func (n *pinsCall) answer(ch *channel) {
	n.look(func(ctx context.Context) (func(), error) {
		r, messages, err := n.session.inc.past.pinned(ctx, ch, n)
		return func() { n.reply(func(b []byte) []byte { return rpc.AppendPinsResult(b, &r, messages) }) }, err
	})
}

// pinned reads the pinned messages, one by one.
func (x *reader) pinned(ctx context.Context, ch *channel, n *pinsCall) (r rpc.PinsResult, messages [][]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, x.inc.cfg.HistoryTime)
	defer cancel()
	if !x.awaitTarget(ctx, ch, n.acked) {
		return r, nil, errBehind
	}
	ch.Lock()
	pins, position := slices.Clone(ch.Settings().Pins), ch.Position()
	ch.Unlock()
	r.Asof = position
	user := n.session.user
	done, err := x.shares.await(ctx, user)
	if err != nil {
		return r, nil, err
	}
	defer done()
	used, bytes := 0, messageBytes(n.session.limits())
	for _, seq := range pins {
		p, err := x.one(ctx, ch, user, seq, bytes)
		if err != nil {
			return r, nil, err
		}
		r.Asof = min(r.Asof, p.Asof)
		if len(p.Messages) == 0 || !isThere(p.Messages[0], seq) {
			continue
		}
		if used += len(p.Messages[0]) + 1; used > bytes && len(messages) > 0 {
			r.More = true
			break
		}
		messages, r.Mine = append(messages, p.Messages[0]), append(r.Mine, p.Mine...)
	}
	return r, messages, nil
}

// one reads the newest message at or below a seq.
func (x *reader) one(ctx context.Context, ch *channel, user string, seq int64, bytes int) (room.Page, error) {
	ch.Lock()
	end := ch.Position() + 1
	p, ok := ch.Before(room.Span{User: user, End: end, Bytes: bytes}, seq+1, 1)
	ch.Unlock()
	if ok && len(p.Messages) > 0 {
		x.inc.metrics.fromRing()
		return p, nil
	}
	q := x.query(ch, user, end, bytes)
	q.Mode, q.Before, q.Limit = history.Before, seq+1, 1
	return x.read(ctx, q)
}

// isThere reports whether an encoded message is that of a seq, and not deleted.
func isThere(message []byte, seq int64) bool {
	var m struct {
		Seq     int64        `json:"seq"`
		Deleted *rpc.Deleted `json:"deleted"`
	}
	return json.Unmarshal(message, &m) == nil && m.Seq == seq && m.Deleted == nil
}
