package connector

import (
	"context"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

// sanctionsCall is a request for the mutes and bans of a channel.
type sanctionsCall struct {
	readCall
	after string
	limit int
}

func (c *call) sanctions(r rpc.Request) *rpc.Error {
	s := c.session
	var q rpc.SanctionsParams
	bad := rpc.Decode(r.Params, &q)
	if s.inc.format(q.Channel) < 2 {
		return &errNoMethod
	}
	if bad == nil {
		bad = params.CheckName("channel", q.Channel)
	}
	if bad == nil && q.After != "" {
		bad = params.CheckName("after", q.After)
	}
	n := &sanctionsCall{after: q.After}
	if bad == nil {
		n.limit, bad = limitOf(q.Limit, 1, maxMembers, defaultMembers)
	}
	if bad != nil {
		return bad
	}
	p, bad := s.placeFor(grants.Moderate, q.Channel)
	if bad != nil {
		return bad
	}
	if bad := s.pace.moderation(); bad != nil {
		return bad
	}
	n.readCall = c.reads(p)
	p.afterJoin(n)
	return nil
}

// answer answers once what was acknowledged to the session has passed. Memory has the
// mutes of members alone, so all are read.
func (n *sanctionsCall) answer(ch *channel) {
	n.look(func(ctx context.Context) (func(), error) {
		r, err := n.session.inc.past.sanctions(ctx, ch, n)
		return func() { n.result(r) }, err
	})
}

// sanctions reads the mutes and bans of a channel.
func (x *reader) sanctions(ctx context.Context, ch *channel, n *sanctionsCall) (rpc.SanctionsResult, error) {
	ctx, cancel := context.WithTimeout(ctx, x.inc.cfg.HistoryTime)
	defer cancel()
	if !x.awaitTarget(ctx, ch, n.acked) {
		return rpc.SanctionsResult{}, errBehind
	}
	done, err := x.shares.await(ctx, n.session.reads())
	if err != nil {
		return rpc.SanctionsResult{}, err
	}
	defer done()
	ch.Lock()
	end := ch.Position() + 1
	ch.Unlock()
	q := x.query(ch, n.session.user, end, messageBytes(n.session.limits()))
	q.Limit = n.session.atMost(n.limit, smallSanctions)
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
		return x.archive.Sanctions(ctx, q, n.after)
	case <-ctx.Done():
		return rpc.SanctionsResult{}, ctx.Err()
	}
}
