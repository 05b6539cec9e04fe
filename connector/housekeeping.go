package connector

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	housekeepEvery = 500 * time.Millisecond
	reviewEvery    = 100 * time.Millisecond // when the rules have changed
	reactEvery     = 250 * time.Millisecond // members get the counts of reactions
	helloTimeout   = 10 * time.Second
	giveUp         = 30 * time.Second // without an acknowledgement of the log
)

// errSilentLog ends an incarnation that gets no acknowledgement.
var errSilentLog = errors.New("the log has acknowledged nothing for 30 s")

// keep does what has to be done from time to time, for all sessions and
// channels of the incarnation, until ctx ends.
func (inc *incarnation) keep(ctx context.Context) error {
	tick, rules := time.NewTicker(housekeepEvery), time.NewTicker(reviewEvery)
	defer tick.Stop()
	defer rules.Stop()
	react := time.NewTicker(reactEvery)
	defer react.Stop()
	reviewed := uint64(0)
	for round := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-rules.C:
			reviewed = inc.reviewAll(now, reviewed)
		case <-react.C:
			inc.channels.reactions()
		case now := <-tick.C:
			if err := inc.keepOnce(now, inc.sessions.list(), round%2 == 0); err != nil {
				return err
			}
			round++
		}
	}
}

// reviewAll reviews the sessions where the rules are of another version than
// those that were reviewed, and returns the version: a bar that is lifted a
// moment later ends sessions all the same.
func (inc *incarnation) reviewAll(now time.Time, reviewed uint64) uint64 {
	version := inc.rules.version.Load()
	if version != reviewed {
		for _, s := range inc.sessions.list() {
			s.review(now)
		}
	}
	return version
}

// keepOnce is a round of it, which looks after channels where it is their turn.
func (inc *incarnation) keepOnce(now time.Time, sessions []*session, channels bool) error {
	if inc.silent(now) {
		return errSilentLog
	}
	for _, s := range sessions {
		s.keep(now)
	}
	inc.edge.Expire(now)
	if channels {
		inc.channels.presence()
		inc.watches.endStrays()
		inc.guests.sweep(now)
		inc.roster.sweep(now)
		inc.channels.forgetLeft(now)
	}
	return nil
}

func (inc *incarnation) silent(now time.Time) bool {
	oldest, n := inc.events.producer.Unacked()
	if n > 0 && now.Sub(oldest) > giveUp {
		return true
	}
	return now.Sub(inc.heart.lastAck()) > giveUp
}

// keep looks after one session. It runs on the goroutine of the housekeeping.
func (s *session) keep(now time.Time) {
	s.mu.Lock()
	s.places.publishLingering(now)
	user, ended, expires, account := s.user, s.ended, s.token.Expires, s.pace.account
	s.mu.Unlock()
	s.review(now)
	switch {
	case ended:
		s.leaveAll(now)
	case user == "" && now.Sub(s.opened) > helloTimeout && !s.front.Manner().Patient:
		s.front.Close(rpc.CloseNoHello, "no hello in time")
	case !expires.IsZero() && now.After(expires):
		s.front.Close(rpc.CloseExpired, "the token has expired")
	}
	s.front.Probe(now, s.inc.cfg.PingEvery, s.inc.cfg.PongTimeout, account.AskedAfter)
}

// end takes note that the connection is gone. The session leaves its channels
// at once after a clean close, or where too many wait, else when its user had
// time to come back.
func (s *session) end(clean bool, reason schema.Reason) {
	now := time.Now()
	mayWait := s.inc.sessions.end()
	s.mu.Lock()
	s.ended, s.reason, s.leaveAt = true, reason, now.Add(cutGrace)
	if !mayWait || clean && !s.lingersAtEnd() {
		s.leaveAt = now
	}
	stay := s.places.inOrder()
	for _, p := range stay {
		if p.abandon(); p.state == lingering {
			p.on(leaveDropped)
		}
	}
	s.mu.Unlock()
	for _, p := range stay {
		p.watchForReturn()
	}
	s.spans.end()
	s.leaveAll(now)
}

// watchForReturn keeps watch for the user's return to the place's channel.
func (p *place) watchForReturn() {
	p.withChannel(func(ch *channel) {
		if !slices.Contains(ch.departing, p) {
			ch.departing = append(ch.departing, p)
		}
	})
}

// leaveAll publishes the leaves of an ended session when they are due.
func (s *session) leaveAll(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.places) == 0 {
		s.inc.sessions.forget(s)
	}
	if now.Before(s.leaveAt) || s.inc.draining.Load() {
		return // a draining connector's sessions leave with it
	}
	for _, p := range s.places.inOrder() {
		p.leaveNow()
	}
}
