package connector

import (
	"context"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// reactionsCall is a request for who reacts to a message.
type reactionsCall struct {
	readCall
	seq   int64
	epoch string // "": the current one
	name  string // "": any
	after rpc.UserReaction
	limit int
}

func (c *call) reactions(r rpc.Request) *rpc.Error {
	s := c.session
	var q struct {
		rpc.ReactionsParams
		Name *string `json:"name"`
	}
	bad := rpc.Decode(r.Params, &q)
	if s.inc.format(q.Channel) < 2 {
		return &errNoMethod
	}
	if bad == nil {
		bad = params.CheckName("channel", q.Channel)
	}
	if bad == nil {
		bad = params.CheckSeq(q.Seq)
	}
	if bad == nil && q.Name != nil {
		bad = params.CheckReaction("name", *q.Name)
	}
	n := &reactionsCall{seq: q.Seq, epoch: q.Epoch, name: params.Text(q.Name)}
	if bad == nil && q.After != nil {
		if n.after = *q.After; params.CheckReaction("", q.After.Name) != nil || schema.CheckName(q.After.User) != nil {
			bad = rpc.InvalidParams("after", "must be the name and the user of a reaction")
		}
	}
	if bad == nil {
		n.limit, bad = limitOf(q.Limit, 1, maxMembers, defaultMembers)
	}
	if bad != nil {
		return bad
	}
	if q.Epoch == s.inc.log.Epoch {
		n.epoch = ""
	}
	p, bad := s.placeFor(grants.Join, q.Channel)
	if bad != nil {
		return bad
	}
	n.readCall = c.reads(p)
	p.afterJoin(n)
	return nil
}

// answer answers once what was acknowledged to the session has passed.
func (n *reactionsCall) answer(ch *channel) {
	n.look(func(ctx context.Context) (func(), error) {
		r, err := n.session.inc.past.reactions(ctx, ch, n)
		return func() { n.result(r) }, err
	})
}

// reactions reads who reacts to a message that the user may see. An *rpc.Error says
// that there is none.
func (x *reader) reactions(ctx context.Context, ch *channel, n *reactionsCall) (r rpc.ReactionsResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, x.inc.cfg.HistoryTime)
	defer cancel()
	if n.epoch == "" && !x.awaitTarget(ctx, ch, max(n.acked, n.seq)) {
		ch.Lock()
		defer ch.Unlock()
		if ch.Position() < n.acked {
			return r, errBehind
		}
		return r, rpc.Gone()
	}
	user := n.session.user
	done, err := x.shares.await(ctx, n.session.reads())
	if err != nil {
		return r, err
	}
	defer done()
	ch.Lock()
	end := ch.Position() + 1
	ch.Unlock()
	q := x.query(ch, user, end, messageBytes(n.session.limits()))
	q.Epoch, q.Mode, q.Before, q.Limit, q.Everyone = n.epoch, history.Before, n.seq+1, 1, n.session.audits()
	page, err := x.read(ctx, q)
	if err != nil {
		return r, err
	}
	if len(page.Messages) == 0 || !isThere(page.Messages[0], n.seq) {
		return r, rpc.Gone()
	}
	q.Limit = n.session.atMost(n.limit, smallReactions)
	return x.archive.Reactors(ctx, q, history.Reactors{Target: n.seq, Name: n.name, After: n.after})
}
