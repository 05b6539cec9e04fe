package connector

import (
	"math"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema/rpc"
)

// maxOwn is how many changes and moderator's acts with an id of the client's own a place remembers.
const maxOwn = 64

// ownActs are what a session did in one channel and memory does not show. The zero
// value is nothing. Guarded by session.mu.
type ownActs struct {
	changes   []rpc.ActResult // with ids of the client's own, in the order of their answers
	reacting  int             // reactions that the log has not acknowledged
	reactedAt int64           // the highest seq of one
}

// note notes a change, or a moderator's act, that was acknowledged. Messages are found in the ring.
func (o *ownActs) note(a *act, r rpc.ActResult) {
	if a.ID == nil || a.Event.GetChat() != nil {
		return
	}
	if len(o.changes) == maxOwn {
		o.changes = append(o.changes[:0], o.changes[1:]...)
	}
	o.changes = append(o.changes, r)
}

// find finds a change by its id.
func (o *ownActs) find(id string) (rpc.ActResult, bool) {
	for i := range o.changes {
		if o.changes[i].ID == id {
			return o.changes[i], true
		}
	}
	return rpc.ActResult{}, false
}

// reacted notes what became of a reaction. One that was refused may be in the log all
// the same, at any position.
func (o *ownActs) reacted(ack eventlog.Ack) {
	o.reacting--
	if ack.Err != nil {
		ack.Offset = math.MaxInt64
	}
	o.reactedAt = max(o.reactedAt, ack.Offset)
}

// settled reports whether all reactions have passed, as of a position.
func (o *ownActs) settled(position int64) bool { return o.reacting == 0 && o.reactedAt <= position }
