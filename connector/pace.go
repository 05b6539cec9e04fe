package connector

import (
	"time"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/schema/rpc"
)

// tolerance is for how many seconds of refused requests, of each
// admission.FloodWindow, a session is not closed, nor are those of a user.
const tolerance = 5

// tokenRate is how many tokens of a session are verified in a second, tokenBurst
// at once: a session needs one, and a fresh one before it runs out.
const (
	tokenRate  = 1
	tokenBurst = 10
)

// pace is what one session may ask for, alone and together with the other
// sessions of its user. The zero value limits nothing.
type pace struct {
	metrics  *metrics
	rate     int                // requests a second of the session
	userRate int                // of its user's sessions together
	chats    int                // messages a second of the user in a channel
	moderate int                // moderators' requests a second of the user
	account  *admission.Account // of the user; nil before hello. Set by the reading goroutine, with session.mu

	// Owned by the reading goroutine.
	requests, joins *admission.Bucket
	tokens          *admission.Bucket
	signals         *admission.Bucket
	excess          admission.Flood // requests above the rate
}

func newPace(inc *incarnation) pace {
	l := inc.limits
	return pace{
		metrics: inc.metrics, rate: l.Rate, userRate: inc.cfg.Edge.UserRate, chats: l.Chats, moderate: l.Moderation,
		requests: admission.NewBucket(l.Rate, requestBurst(l)), joins: admission.NewBucket(l.Joins, l.Channels),
		tokens: admission.NewBucket(min(tokenRate, l.Rate), tokenBurst), signals: admission.NewBucket(l.Signals, 2*l.Signals),
	}
}

// request takes a request from the buckets of the session and its user; the
// time until there is one when there is none. flooding: it was too many times.
func (p *pace) request() (retry time.Duration, flooding bool) {
	now := time.Now()
	if retry, ok := admission.Draw(p.requests, now); !ok {
		p.metrics.limited.Add(1, "requests")
		return retry, p.excess.Exceeds(tolerance * p.rate)
	}
	if retry, ok := p.account.DrawRequest(now); !ok {
		p.metrics.limited.Add(1, "user_requests")
		return retry, p.account.Exceeds(tolerance * p.userRate)
	}
	return 0, false
}

// slowDown refuses a request and reads no further until the next one would be
// taken: a flood waits in its own socket. One that does not end closes it.
func (p *pace) slowDown(c *call, retry time.Duration, flooding bool) {
	c.fail(rateLimited(retry))
	if flooding {
		c.session.front.Close(rpc.CloseMisuse, "too many requests")
		return
	}
	timer := time.NewTimer(min(retry, time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.session.inc.ctx.Done():
	}
}

// token takes a token that is to be verified from the bucket.
func (p *pace) token() *rpc.Error {
	if retry, ok := admission.Draw(p.tokens, time.Now()); !ok {
		p.metrics.limited.Add(1, "requests")
		return rateLimited(retry)
	}
	return nil
}

// join takes a join from the buckets of the session and its user.
func (p *pace) join() *rpc.Error {
	now := time.Now()
	if retry, ok := admission.Draw(p.joins, now); !ok {
		p.metrics.limited.Add(1, "joins")
		return rateLimited(retry)
	}
	if retry, ok := p.account.DrawJoin(now); !ok {
		p.metrics.limited.Add(1, "user_joins")
		return rateLimited(retry)
	}
	return nil
}

// chat takes a message from the bucket of the user in a channel.
func (p *pace) chat(channel string) *rpc.Error {
	if retry, ok := p.account.DrawChat(channel, p.chats, time.Now()); !ok {
		p.metrics.limited.Add(1, "chats")
		return rateLimited(retry)
	}
	return nil
}

// moderation takes a moderator's request from the bucket of the user.
func (p *pace) moderation() *rpc.Error {
	if retry, ok := p.account.DrawModeration(p.moderate, time.Now()); !ok {
		p.metrics.limited.Add(1, "moderation")
		return rateLimited(retry)
	}
	return nil
}

// signal takes a signal from the bucket of the session.
func (p *pace) signal() *rpc.Error {
	if retry, ok := admission.Draw(p.signals, time.Now()); !ok {
		p.metrics.limited.Add(1, "signals")
		return rateLimited(retry)
	}
	return nil
}

func rateLimited(retry time.Duration) *rpc.Error {
	return rpc.RateLimited(retry.Milliseconds() + 1)
}
