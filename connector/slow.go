package connector

import (
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
)

// maxSlow is how many users of a channel slow mode remembers.
const maxSlow = 1 << 16

// slow is who has spoken in a channel since slow mode was set: the messages that this
// connector has seen, and its own that are on their way. The zero value is nobody.
// Guarded by the channel's lock.
type slow struct {
	from   int64             // the seq of the setting that is in force
	spoken map[string]spoken // by user
}

// spoken is when a user spoke last.
type spoken struct {
	at     int64   // of what was seen, in Unix milliseconds; 0: nothing was
	flying *speech // what has not been seen yet; nil: there is none
}

// speech is a message that this connector has published and not seen yet. Once it has
// passed, the stream has told whether it counts: it may be void.
type speech struct {
	at  int64        // Unix milliseconds
	seq atomic.Int64 // as the log has answered; 0: it has not, below 0: it refused it
}

// answered notes what the log has answered. Nil is nobody's.
func (f *speech) answered(ack eventlog.Ack) {
	switch {
	case f == nil:
	case ack.Err != nil: // what it has all the same, the stream will bring
		f.seq.Store(-1)
	default:
		f.seq.Store(ack.Offset)
	}
}

// landed reports whether the stream has told what became of it, as of a position.
func (f *speech) landed(position int64) bool {
	seq := f.seq.Load()
	return seq < 0 || 0 < seq && seq <= position
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
	s.land(user, ch.Position())
	if !s.knows(user) { // before this connector saw it live, maybe
		if _, at := ch.NewestOf(user, s.from); at > 0 {
			s.note(user, at, wait, now)
		}
	}
	return s.spoken[user].left(wait, now)
}

// knows reports whether a message of a user is known.
func (s *slow) knows(user string) bool { return s.spoken[user] != (spoken{}) }

// mayLack reports whether history may have a message of a user that counts and is not
// in memory: from before the connector followed the channel, if that is not longer ago
// than a user waits. The lock is held.
func (ch *channel) mayLack(user string) bool {
	wait, s := ch.slowMode()
	return wait > 0 && !s.knows(user) && time.Since(ch.begun) < wait && !ch.Reaches(s.from)
}

// spoke notes a message of a user that was seen. The lock is held.
func (ch *channel) spoke(user string, seq, at int64, now time.Time) {
	if wait, s := ch.slowMode(); wait > 0 && seq > s.from {
		s.note(user, at, wait, now)
		s.land(user, seq)
	}
}

// speaks notes a message of a user that is published; nil: nobody has to know what
// becomes of it. The lock is held.
func (ch *channel) speaks(user string, now time.Time) *speech {
	wait, s := ch.slowMode()
	if wait == 0 {
		return nil
	}
	s.makeRoom(wait, now)
	f := &speech{at: now.UnixMilli()}
	s.put(user, spoken{s.spoken[user].at, f})
	return f
}

func (s *slow) note(user string, at int64, wait time.Duration, now time.Time) {
	s.makeRoom(wait, now)
	of := s.spoken[user]
	// A clock elsewhere that is ahead must not keep anybody waiting for longer.
	s.put(user, spoken{max(of.at, min(at, now.UnixMilli())), of.flying})
}

// land forgets a message that was on its way and has passed, or never will.
func (s *slow) land(user string, position int64) {
	if of := s.spoken[user]; of.flying != nil && of.flying.landed(position) {
		s.put(user, spoken{at: of.at})
	}
}

func (s *slow) put(user string, of spoken) {
	if of == (spoken{}) {
		delete(s.spoken, user)
		return
	}
	if s.spoken == nil {
		s.spoken = map[string]spoken{}
	}
	s.spoken[user] = of
}

// makeRoom forgets who need not wait any more, and all where that makes no room.
func (s *slow) makeRoom(wait time.Duration, now time.Time) {
	if len(s.spoken) < maxSlow {
		return
	}
	for user, of := range s.spoken {
		if of.left(wait, now) <= 0 {
			delete(s.spoken, user)
		}
	}
	if len(s.spoken) >= maxSlow {
		clear(s.spoken)
	}
}

// left is how much of a wait is left.
func (of spoken) left(wait time.Duration, now time.Time) time.Duration {
	at := of.at
	if of.flying != nil {
		at = max(at, of.flying.at)
	}
	if at == 0 {
		return 0
	}
	return time.UnixMilli(at).Add(wait).Sub(now)
}
