package connector

import (
	"slices"

	"github.com/parley-chat/parley/connector/room"
)

// channel is a channel with local members, and what sessions wait for in it. Its
// lock guards all of it, but for what never changes.
type channel struct {
	*room.Channel
	partition int

	departing []*place // members whose connection is gone and whose leave waits
	loading   *load    // the read of history that fills its memory; nil: there is none
	dirty     bool     // among those that the stream flushes at the end of the batch
}

// detach ends p's membership.
func (ch *channel) detach(p *place) {
	ch.departing = slices.DeleteFunc(ch.departing, func(o *place) bool { return o == p })
	ch.Detach(&p.member)
}
