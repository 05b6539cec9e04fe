package room

import (
	"strings"
	"sync/atomic"
)

// Outlet is where the bytes for a member go.
type Outlet interface {
	// Send queues frames, which are shared and never change. It does not wait.
	Send(frames []byte)
	// Offer is Send for what may be left out; false: it is, as half of the room is taken.
	Offer(frames []byte) bool
	// Close ends the member's connection, for the reason that a code gives.
	Close(code int, reason string)
}

// Member is one session among a channel's members. It is guarded by the
// channel's lock, but for Leaving and Moderates.
type Member struct {
	User    string
	Outlet  Outlet
	Dialect Dialect
	// Sends begins the ids of the messages that the member sends; "": its client
	// wants to be pushed its own private messages, too.
	Sends string

	// Leaving says that the member's leave is on its way.
	Leaving atomic.Bool
	// Moderates says that the member is told what is for moderators alone.
	Moderates atomic.Bool

	fan    *fan // nil: it was never attached
	stage  stage
	index  int // among the fan's members, unless it is outside
	cursor int // into all that was ever in the fan's backlog, while it is catching up
	end    int // likewise, where it was detached while it was
	batch  int // the fan's batch that from counts in
	from   int // where this member's part of that batch begins
	had    int // messages of that batch before there
}

// stage is what a channel's pushes are to a member.
type stage uint8

const (
	outside    stage = iota // it gets none
	catchingUp              // its result is being made: they wait in the backlog
	live                    // it gets them as they come
)

// hasSent reports whether a private message is one that the member need not be
// told of.
func (m *Member) hasSent(id string) bool { return m.Sends != "" && strings.HasPrefix(id, m.Sends) }
