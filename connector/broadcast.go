package connector

import (
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	roomTime = 10 * time.Second     // for which a broadcast waits for room in the producer's queue
	roomPoll = 5 * time.Millisecond // how often it looks
)

// broadcast is a broadcast that is under way.
type broadcast struct {
	*ask
	results []rpc.Broadcasted
	left    atomic.Int64 // channels without a result, and one for the loop
}

func (a *ask) broadcast() {
	var p params.Broadcast
	bad := rpc.Decode(a.Params, &p)
	if bad == nil {
		bad = p.Check(&a.inc.limits)
	}
	if bad == nil && len(p.Channels) > 1 {
		if retry, ok := a.by.Draw(len(p.Channels) - 1); !ok { // the request itself was drawn
			bad = rateLimited(retry)
		}
	}
	if bad != nil {
		a.fail(bad)
		return
	}
	b := &broadcast{ask: a, results: make([]rpc.Broadcasted, len(p.Channels))}
	b.left.Store(int64(len(p.Channels)) + 1)
	id, give := a.idOf(p.ID), time.Now().Add(roomTime)
	for i, channel := range p.Channels {
		b.results[i].Channel = channel
		b.publish(i, &p.Publish, id, give)
	}
	b.done()
}

// publish publishes in one channel, and waits for room if there is none.
func (b *broadcast) publish(i int, p *params.Publish, id string, until time.Time) {
	channel := b.results[i].Channel
	done := func(r rpc.PublishResult, bad *rpc.Error) {
		if bad != nil {
			b.results[i].Error = bad
		} else {
			b.results[i].PublishResult = &r
		}
		b.done()
	}
	if bad := b.mayPublish(channel); bad != nil {
		done(rpc.PublishResult{}, bad)
		return
	}
	x := b.publication(p, channel, id)
	err := x.queue(done)
	for isFull(err) && time.Now().Before(until) && b.inc.ctx.Err() == nil {
		time.Sleep(roomPoll)
		err = x.queue(done)
	}
	if err != nil {
		x.span.End(err)
		done(rpc.PublishResult{}, rpc.Unavailable(retryAfter))
	}
}

// done takes note of a result, and answers with all.
func (b *broadcast) done() {
	if b.left.Add(-1) == 0 {
		b.result(rpc.BroadcastResult{Results: b.results})
	}
}
