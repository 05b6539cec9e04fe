package admission

import (
	"sync"
	"time"
)

// prunedFrom is how many channels an account remembers before it forgets those
// whose bucket is full, maxPaced the most that it remembers.
const (
	prunedFrom = 16
	maxPaced   = 1024
)

// Account is what all sessions of a user on this connector share: their rates.
// A nil account limits nothing. Safe for concurrent use.
type Account struct {
	requests, joins *Bucket

	mu     sync.Mutex
	probed time.Time          // when all sessions were to be pinged
	excess Flood              // requests above the user's rate
	chats  map[string]*Bucket // by channel; those that are full are forgotten

	moderation *Bucket // nil: nothing was drawn
}

// DrawRequest takes a request of the user from the bucket, like [Draw].
func (a *Account) DrawRequest(now time.Time) (retry time.Duration, ok bool) {
	if a == nil {
		return 0, true
	}
	return Draw(a.requests, now)
}

// DrawJoin takes a join of the user.
func (a *Account) DrawJoin(now time.Time) (retry time.Duration, ok bool) {
	if a == nil {
		return 0, true
	}
	return Draw(a.joins, now)
}

// DrawChat takes a message of the user in a channel, of so many a second.
func (a *Account) DrawChat(channel string, perSecond int, now time.Time) (retry time.Duration, ok bool) {
	if a == nil {
		return 0, true
	}
	return Draw(a.chat(channel, perSecond, now), now)
}

// DrawModeration takes a moderator's request of the user, of so many a second.
func (a *Account) DrawModeration(perSecond int, now time.Time) (retry time.Duration, ok bool) {
	if a == nil || perSecond <= 0 {
		return 0, true
	}
	a.mu.Lock()
	if a.moderation == nil {
		a.moderation = NewBucket(perSecond, 2*perSecond)
	}
	b := a.moderation
	a.mu.Unlock()
	return Draw(b, now)
}

// AskedAfter reports whether all sessions are to be pinged, and were to be
// after a time.
func (a *Account) AskedAfter(t time.Time) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.probed.After(t)
}

// ask has all sessions pinged, unless it is known that those who live have
// answered. It is false when it is.
func (a *Account) ask(now time.Time, verdict time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	since := now.Sub(a.probed)
	if since > verdict+probeEvery {
		a.probed, since = now, 0
	}
	return since < verdict
}

// Exceeds counts a request above the user's rate, and reports whether there
// were too many.
func (a *Account) Exceeds(most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.excess.Exceeds(most)
}

// chat is the bucket of the user's messages in a channel.
func (a *Account) chat(channel string, perSecond int, now time.Time) *Bucket {
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
		a.chats = map[string]*Bucket{}
	}
	b := NewBucket(perSecond, 2*perSecond)
	a.chats[channel] = b
	return b
}
