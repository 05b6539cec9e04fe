package connector

import (
	"context"
	"errors"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// errChangedSince means that a message that was read has changes since then of which
// memory knows nothing any more.
var errChangedSince = errors.New("the channel has changed too much meanwhile")

// lookUp looks up messages that are reacted to and are not in memory, so that members
// are told the counts from the next time on. Nobody waits for it. The channel's lock is
// held.
func (x *reader) lookUp(ch *channel) {
	if ch.looking || !ch.Wants() {
		return
	}
	ch.looking = true
	x.inc.spawn(func() {
		for {
			ch.Lock()
			targets := ch.Wanted()
			ch.looking = len(targets) > 0
			ch.Unlock()
			if len(targets) == 0 {
				return
			}
			x.lookUpNow(ch, targets)
		}
	})
}

// lookUpNow reads messages. All channels share what one user may read at once.
func (x *reader) lookUpNow(ch *channel, targets []int64) {
	ctx, cancel := context.WithTimeout(x.inc.ctx, x.inc.cfg.HistoryTime)
	defer cancel()
	done, err := x.shares.await(ctx, nobody)
	if err != nil {
		return
	}
	defer done()
	for _, seq := range targets {
		if err := x.loadTarget(ctx, ch, seq); err != nil {
			x.noHistory.warn(ctx, x.inc.logger, err)
			return
		}
	}
}

// nobody cannot be the name of a user.
const nobody = ""

// loadTarget has the channel's memory know from history what there is at seq, whoever
// may see it. The channel's position is at seq or above.
func (x *reader) loadTarget(ctx context.Context, ch *channel, seq int64) error {
	ch.Lock()
	end := ch.Position() + 1
	_, known := ch.Target(seq)
	ch.Unlock()
	if known {
		return nil
	}
	q := x.query(ch, "", end, messageBytes(x.inc.limits))
	q.Everyone, q.States, q.Mode, q.Before, q.Limit = true, true, history.Before, seq+1, 1
	found, err := x.readTurn(ctx, q)
	if err != nil {
		return err
	}
	var m *rpc.Message
	var state *changes.State
	if len(found.Messages) > 0 && found.Messages[0].Seq == seq {
		if m = &found.Messages[0]; len(found.States) > 0 {
			state = found.States[0]
		}
	}
	ch.Lock()
	defer ch.Unlock()
	if !ch.AddTarget(seq, m, state, found.Asof) {
		return errChangedSince
	}
	return nil
}
