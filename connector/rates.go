package connector

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/schema/rpc"
)

// bucket limits something to a rate; nil does not limit it. Safe for concurrent
// use.
type bucket = rate.Limiter

// newBucket allows perSecond on average and burst at once; nil when perSecond
// is 0 or less.
func newBucket(perSecond, burst int) *bucket {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), burst)
}

// draw takes one from the bucket. When there is none it returns the time until
// there is.
func draw(b *bucket, now time.Time) (retry time.Duration, ok bool) {
	if b == nil || b.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - b.TokensAt(now)
	return time.Duration(missing / float64(b.Limit()) * float64(time.Second)), false
}

// full reports whether the bucket is as if it had never been used.
func full(b *bucket, now time.Time) bool {
	return b == nil || b.TokensAt(now) >= float64(b.Burst())
}

// refill is the time that an empty bucket takes to be full.
func refill(perSecond, burst int) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	return time.Duration(float64(burst) / float64(perSecond) * float64(time.Second))
}

// prunedFrom is how many channels an account remembers before it forgets those
// whose bucket is full, maxPaced the most that it remembers.
const (
	prunedFrom = 16
	maxPaced   = 1024
)

// account is what all sessions of a user on this connector share: their rates.
// Safe for concurrent use.
type account struct {
	requests, joins *bucket

	mu     sync.Mutex
	probed time.Time          // when all sessions were to be pinged
	excess flood              // requests above the user's rate
	chats  map[string]*bucket // by channel; those that are full are forgotten
}

// askedAfter reports whether all sessions are to be pinged, and were to be
// after a time.
func (a *account) askedAfter(t time.Time) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.probed.After(t)
}

// ask has all sessions pinged, unless it is known that those who live have
// answered. It is false when it is.
func (a *account) ask(now time.Time, verdict time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	since := now.Sub(a.probed)
	if since > verdict+probeEvery {
		a.probed, since = now, 0
	}
	return since < verdict
}

// exceeds counts a request above the user's rate, and reports whether there
// were too many.
func (a *account) exceeds(most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.excess.exceeds(most)
}

// chat is the bucket of the user's messages in a channel.
func (a *account) chat(channel string, perSecond int, now time.Time) *bucket {
	if perSecond <= 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if b := a.chats[channel]; b != nil {
		return b
	}
	if len(a.chats) >= prunedFrom {
		for name, b := range a.chats {
			if full(b, now) {
				delete(a.chats, name)
			}
		}
	}
	if a.chats == nil || len(a.chats) >= maxPaced {
		a.chats = map[string]*bucket{}
	}
	b := newBucket(perSecond, 2*perSecond)
	a.chats[channel] = b
	return b
}

// tolerance is for how many seconds of refused requests, of each floodWindow, a
// session is not closed, nor are those of a user.
const tolerance = 5

// drawRequest takes a request from the buckets of the session and its user; the
// time until there is one when there is none. flooding: it was too many times.
func (s *session) drawRequest() (retry time.Duration, flooding bool) {
	now := time.Now()
	if retry, ok := draw(s.requests, now); !ok {
		s.inc.metrics.limited.Add(1, "requests")
		return retry, s.excess.exceeds(tolerance * s.inc.limits.Rate)
	}
	if s.account == nil {
		return 0, false
	}
	retry, ok := draw(s.account.requests, now)
	if ok {
		return 0, false
	}
	s.inc.metrics.limited.Add(1, "user_requests")
	return retry, s.account.exceeds(tolerance * s.inc.cfg.Edge.UserRate)
}

// slowDown refuses a request and reads no further until the next one would be
// taken: a flood waits in its own socket. One that does not end closes it.
func (s *session) slowDown(c *call, retry time.Duration, flooding bool) {
	c.fail(rateLimited(retry))
	if flooding {
		s.front.Close(rpc.CloseMisuse, "too many requests")
		return
	}
	timer := time.NewTimer(min(retry, time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.inc.ctx.Done():
	}
}

// drawJoin takes a join from the buckets of the session and its user.
func (s *session) drawJoin() *rpc.Error {
	now := time.Now()
	if retry, ok := draw(s.joins, now); !ok {
		s.inc.metrics.limited.Add(1, "joins")
		return rateLimited(retry)
	}
	if s.account == nil {
		return nil
	}
	if retry, ok := draw(s.account.joins, now); !ok {
		s.inc.metrics.limited.Add(1, "user_joins")
		return rateLimited(retry)
	}
	return nil
}

// drawChat takes a message from the bucket of the user in a channel.
func (s *session) drawChat(channel string) *rpc.Error {
	if s.account == nil {
		return nil
	}
	now := time.Now()
	if retry, ok := draw(s.account.chat(channel, s.inc.limits.Chats, now), now); !ok {
		s.inc.metrics.limited.Add(1, "chats")
		return rateLimited(retry)
	}
	return nil
}

func rateLimited(retry time.Duration) *rpc.Error {
	return rpc.RateLimited(retry.Milliseconds() + 1)
}
