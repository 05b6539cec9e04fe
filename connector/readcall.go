package connector

import (
	"context"
	"errors"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// readCall is a request that is answered with something of a channel's past.
type readCall struct {
	*call
	place    *place
	acked    int64 // what the session knew of when it asked
	removals int   // of the place when the request was taken up
}

// reads is a request for something of the past of p's channel.
func (c *call) reads(p *place) readCall {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return readCall{call: c, place: p, acked: p.acked}
}

func (r *readCall) passed(*channel) bool {
	r.removals = r.place.removals
	return false
}

func (r *readCall) refused(*rpc.Error) { r.fail(rpc.NotJoined()) }

// look has something looked up once there is room for the answer, which the function
// that look returns sends. An *rpc.Error is the answer itself.
func (r *readCall) look(look func(ctx context.Context) (send func(), err error)) {
	if !r.reserve(waitBytes) {
		r.fail(rpc.HistoryUnavailable(retryAfter))
		return
	}
	inc, front := r.session.inc, r.session.front
	inc.spawn(func() {
		if !front.AwaitRoom(inc.ctx, inc.limits.Page) {
			r.fail(rpc.HistoryUnavailable(retryAfter)) // nobody hears it
			return
		}
		defer front.FreeRoom(inc.limits.Page)
		ctx := r.within(inc.ctx)
		send, err := look(ctx)
		var bad *rpc.Error
		switch {
		case errors.As(err, &bad):
			r.fail(bad)
		case errors.Is(err, history.ErrEpoch):
			r.fail(rpc.InvalidParams("epoch", "is not known here"))
		case err != nil:
			inc.past.noHistory.warn(ctx, inc.logger, err)
			r.fail(rpc.HistoryUnavailable(retryAfter))
		default:
			r.settle(send)
		}
	})
}

// settle sends an answer, unless its user was put out of the channel meanwhile: nobody
// is told what happened after that.
func (r *readCall) settle(send func()) {
	if bad := r.over(); bad != nil {
		r.fail(bad)
		return
	}
	send()
}

// over refuses what was read for one who has been put out meanwhile; nil: nobody was, or
// they have left by themselves.
func (r *readCall) over() *rpc.Error {
	p := r.place
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	switch {
	case p.removals != r.removals:
		return rpc.NotJoined()
	case p.expelled:
		return rpc.Forbidden(grants.Join.String(), p.name)
	}
	return nil
}
