package connector

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// publication is a message that a backend publishes in one channel.
type publication struct {
	*ask
	span  tracing.Span
	chat  *schema.Chat
	retry bool
}

func (a *ask) publish() {
	var p params.Publish
	bad := rpc.Decode(a.Params, &p)
	if bad == nil {
		bad = p.Check(&a.inc.limits)
	}
	if bad == nil {
		bad = a.mayPublish(p.Channel)
	}
	if bad == nil && p.Reply != nil {
		bad = a.mayReply(p.Channel, *p.Reply)
	}
	if bad != nil {
		a.fail(bad)
		return
	}
	a.publication(&p, p.Channel, a.idOf(p.ID)).publish(func(r rpc.PublishResult, bad *rpc.Error) {
		if bad != nil {
			a.fail(bad)
			return
		}
		a.result(r)
	})
}

// mayPublish refuses to publish in a channel.
func (a *ask) mayPublish(channel string) *rpc.Error {
	if bad := mayBackend(a.by.May, grants.API, channel); bad != nil {
		return bad
	}
	if a.inc.format(channel) < 2 {
		return &errNoMethod
	}
	bad := params.CheckNewName("channel", channel)
	if bad == nil {
		return nil
	}
	// Channels that the log has already stay open.
	ctx, cancel := context.WithTimeout(a.ctx, a.inc.cfg.HistoryTime)
	defer cancel()
	switch known, err := a.inc.past.holds(ctx, "\x00"+a.by.Key, channel); {
	case err != nil:
		return rpc.HistoryUnavailable(retryAfter)
	case known:
		return nil
	}
	return bad
}

// mayReply refuses a reply to what is yet to come. It takes the log alone, which is asked
// for its end where this connector does not know yet that it has come that far.
func (a *ask) mayReply(channel string, to int64) *rpc.Error {
	partition := a.inc.channels.partitionOf(channel)
	if a.inc.events.heights.reached(partition, to) {
		return nil
	}
	ctx, cancel := context.WithTimeout(a.ctx, watchTime)
	defer cancel()
	switch end, err := a.inc.past.archive.End(ctx, channel); {
	case err != nil:
		if a.ctx.Err() == nil { // else nobody waits for it any more
			a.inc.past.noEnd.warn(a.inc.ctx, a.inc.logger, fmt.Errorf("look whether the log has what a message answers: %w", err))
		}
		return rpc.Unavailable(retryAfter)
	case to >= end:
		return params.NoReply()
	default:
		a.inc.events.heights.note(partition, end-1)
		return nil
	}
}

func (a *ask) idOf(given *string) string {
	if given != nil {
		return *given
	}
	return ulid.Make().String()
}

// publication makes a message for a channel of checked params.
func (a *ask) publication(p *params.Publish, channel, id string) *publication {
	x := &publication{ask: a, retry: p.Retry && p.ID != nil}
	if a.inc.tracers.requests != nil {
		x.span = a.inc.tracers.requests.Request(a.Method)
		x.span.LinkClient(p.Traceparent)
	}
	x.chat = p.Message(channel, id, a.by.Key)
	x.chat.Trace = x.span.TraceID()
	return x
}

// publish publishes the message; done gets what became of it, on a goroutine that must
// not wait. It returns when the message has its place in the log's order.
func (x *publication) publish(done func(rpc.PublishResult, *rpc.Error)) {
	if err := x.queue(done); err != nil {
		x.span.End(err)
		done(rpc.PublishResult{}, rpc.Unavailable(retryAfter))
	}
}

// queue is publish; with an error nothing was queued, done is not called, and it may be
// tried again.
func (x *publication) queue(done func(rpc.PublishResult, *rpc.Error)) error {
	event := &schema.Event{Kind: &schema.Event_Chat{Chat: x.chat}}
	partition := x.inc.channels.partitionOf(x.chat.Channel)
	return x.inc.events.publish(partition, x.chat.Channel, event, x.span, func(ack eventlog.Ack) {
		x.span.End(ack.Err)
		r := rpc.PublishResult{ID: x.chat.Id, Seq: ack.Offset, Time: event.Time, Epoch: x.inc.log.Epoch}
		switch {
		case ack.Err != nil:
			done(r, rpc.Unavailable(retryAfter))
		case x.retry || ack.Twice:
			x.inc.spawn(func() { done(x.stands(event, r)) })
		default:
			done(r, nil)
		}
	})
}

// stands is where the message stands that may be a repeat: where the first one is
// within the window.
func (x *publication) stands(event *schema.Event, r rpc.PublishResult) (rpc.PublishResult, *rpc.Error) {
	inc := x.inc
	ctx, cancel := context.WithTimeout(x.span.In(inc.ctx), tellTime)
	defer cancel()
	act, _ := event.Act()
	// It takes no turn of the key's: all that wait share one read of the log.
	first, found, err := inc.past.archive.First(ctx, act, r.Seq)
	if err != nil {
		inc.past.noFirst.warn(ctx, inc.logger, fmt.Errorf("look for what a retry repeats: %w", err))
		return r, rpc.Unavailable(retryAfter)
	}
	if found {
		r.Seq, r.Time = first.Seq, first.Time
	}
	return r, nil
}

// isFull reports whether a message waits for room in the producer's queue.
func isFull(err error) bool { return errors.Is(err, eventlog.ErrQueueFull) }
