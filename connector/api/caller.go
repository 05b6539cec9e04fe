package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema/rpc"
)

// errNoKey is of a request that does not say who asks, or says it wrongly: which of
// these is not told.
var errNoKey = errors.New("the API takes a key that it knows: Authorization: Bearer KEY")

// callers say who asks. Safe for concurrent use.
type callers struct {
	keys    *KeysFile          // nil: there are none
	tokens  *identity.Verifier // nil: none are taken
	revoked func(name string, t identity.Stamp) bool
	rate    int // requests a second of each; 0: any
	// Of bytes that all of them have the server keep.
	bodies, answers *quota.Pool

	mu     sync.Mutex
	shares map[string]*share // by name
}

const (
	// maxShares is how many callers are kept in mind, beyond the keys of a file.
	maxShares = 2 * maxKeys
	// turnsOfCaller is how many requests of one caller may wait at once.
	turnsOfCaller = 32
)

// identify says who asks.
func (c *callers) identify(ctx context.Context, r *http.Request) (*Caller, error) {
	given := r.Header["Authorization"]
	if len(given) != 1 { // of two, a proxy may have checked the other one
		return nil, errNoKey
	}
	scheme, text, _ := strings.Cut(given[0], " ")
	if text = strings.TrimSpace(text); !strings.EqualFold(scheme, "Bearer") || text == "" {
		return nil, errNoKey
	}
	if key, ok := c.keys.find(text); ok {
		return c.caller(key.Name, key.may), nil
	}
	if c.tokens == nil || strings.Count(text, ".") != 2 {
		return nil, errNoKey
	}
	who, err := c.tokens.Verify(ctx, text)
	if err != nil {
		return nil, err
	}
	if err := CheckName(who.Name); err != nil {
		return nil, err
	}
	if c.revoked(who.Name, who.Stamp) {
		return nil, errors.New("the token is revoked")
	}
	return c.caller(who.Name, grants.Compile(who.Name, who.Grants)), nil
}

func (c *callers) caller(name string, may *grants.Matcher) *Caller {
	s := c.share(name)
	return &Caller{
		Key: name, May: may, Turns: s.turns, bodies: s.bodies, answers: s.answers, work: &s.work,
		Draw: func(n int) (time.Duration, bool) { return draw(s.bucket, n, time.Now()) },
	}
}

// share is what one caller may take of what all have.
type share struct {
	bucket *rate.Limiter // nil: any number of requests
	turns  chan struct{}

	bodies, answers *quota.Pool
	work            work
}

// work counts the HTTP requests of one caller that are being carried out.
type work struct{ n atomic.Int64 }

// begin counts one more, unless there are most already; 0: any number.
func (w *work) begin(most int) bool {
	if w.n.Add(1) <= int64(most) || most == 0 {
		return true
	}
	w.end()
	return false
}

func (w *work) end() { w.n.Add(-1) }

func (c *callers) share(name string) *share {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shares[name]
	if s == nil {
		if len(c.shares) >= maxShares {
			clear(c.shares) // whoever asks all the time has a full one for a moment
		}
		s = &share{turns: make(chan struct{}, turnsOfCaller), bodies: c.bodies.Part(bodiesOfKey), answers: c.answers.Part(answersOfKey)}
		if c.rate > 0 {
			// A broadcast draws for all of its channels at once.
			s.bucket = rate.NewLimiter(rate.Limit(c.rate), max(c.rate, rpc.MaxBroadcast))
		}
		c.shares[name] = s
	}
	return s
}

// draw takes n from a bucket; nil takes any number.
func draw(b *rate.Limiter, n int, now time.Time) (retry time.Duration, ok bool) {
	if b == nil || b.AllowN(now, n) {
		return 0, true
	}
	missing := float64(n) - b.TokensAt(now)
	return time.Duration(missing / float64(b.Limit()) * float64(time.Second)), false
}
