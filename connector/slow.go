package connector

import (
	"time"
)

// maxSlow is how many users of a channel slow mode remembers.
const maxSlow = 1 << 16

// slow is who has spoken in a channel since slow mode was set: the messages that this
// connector has published, or has seen. The zero value is nobody. Guarded by the
// channel's lock.
type slow struct {
	from   int64            // the seq of the setting that is in force
	newest map[string]int64 // by user: when they spoke last, in Unix milliseconds
}

// slowMode is how long a user waits between two messages, and who has spoken since
// that was set. The lock is held.
func (ch *channel) slowMode() (wait time.Duration, s *slow) {
	wait, from := ch.Slow()
	if ch.slow.from != from || wait == 0 {
		ch.slow = slow{from: from}
	}
	return wait, &ch.slow
}

// tooSoon is how long a user has to wait until their next message; 0 or less: not at
// all. The lock is held.
func (ch *channel) tooSoon(user string, now time.Time) time.Duration {
	wait, s := ch.slowMode()
	if wait == 0 {
		return 0
	}
	if _, known := s.newest[user]; !known { // before this connector saw it live, maybe
		if _, at := ch.NewestOf(user, s.from); at > 0 {
			s.note(user, at, wait, now)
		}
	}
	return s.left(user, wait, now)
}

// spoke notes a message of a user. The lock is held.
func (ch *channel) spoke(user string, seq, at int64, now time.Time) {
	if wait, s := ch.slowMode(); wait > 0 && seq > s.from {
		s.note(user, at, wait, now)
	}
}

func (s *slow) note(user string, at int64, wait time.Duration, now time.Time) {
	if s.newest == nil {
		s.newest = map[string]int64{}
	}
	if len(s.newest) >= maxSlow {
		s.forget(wait, now)
	}
	// A clock elsewhere that is ahead must not keep anybody waiting for longer.
	s.newest[user] = max(s.newest[user], min(at, now.UnixMilli()))
}

// forget forgets who need not wait any more, and all where that makes no room.
func (s *slow) forget(wait time.Duration, now time.Time) {
	for user := range s.newest {
		if s.left(user, wait, now) <= 0 {
			delete(s.newest, user)
		}
	}
	if len(s.newest) >= maxSlow {
		clear(s.newest)
	}
}

// left is how much of a wait is left to a user.
func (s *slow) left(user string, wait time.Duration, now time.Time) time.Duration {
	at, spoke := s.newest[user]
	if !spoke {
		return 0
	}
	return time.UnixMilli(at).Add(wait).Sub(now)
}
