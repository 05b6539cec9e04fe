package connector

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/schema/rpc"
)

// tellTime is for how long the answer waits that says where an act stands.
const tellTime = 10 * time.Second

// tell answers an act that may be a repeat with the seq at which it stands, once it
// has passed. r is what the log has acknowledged.
func (a *act) tell(ch *channel, r rpc.ActResult) {
	inc := a.session.inc
	ctx, cancel := context.WithTimeout(a.within(inc.ctx), tellTime)
	defer cancel()
	if !inc.past.awaitTarget(ctx, ch, r.Seq) {
		a.fail(rpc.Unavailable(retryAfter))
		return
	}
	ch.Lock()
	stands := ch.stands(r.Seq)
	var first room.Found
	found := false
	if a.session.backend == nil {
		first, found = ch.Find(a.session.user, r.ID, anyNumber)
	}
	ch.Unlock()
	switch {
	case stands:
		a.result(r)
		return
	case !found:
		var err error
		if first, found, err = inc.past.first(ctx, a, r.Seq); err != nil {
			inc.past.noFirst.warn(ctx, inc.logger, fmt.Errorf("look for what a retry repeats: %w", err))
			a.fail(rpc.Unavailable(retryAfter))
			return
		}
	}
	switch {
	case found:
		a.result(rpc.ActResult{ID: r.ID, Seq: first.Seq, Time: first.Time})
	case a.Retry:
		a.result(rpc.RepeatResult{ID: r.ID, Repeat: true})
	default: // it would not understand that
		a.result(r)
	}
}

// unlessDone answers an act that is not published and is a retry with the seq of
// the first try, where that was carried out: it may be why the message does not take
// the change any more, or why it is too soon. It may be in the log and not have passed
// yet. Else it answers with otherwise. Both locks are held.
func (a *act) unlessDone(ch *channel, otherwise func()) {
	if !a.Retry || a.ID == nil {
		otherwise()
		return
	}
	if bad := a.keep(); bad != nil {
		a.fail(bad)
		return
	}
	inc := a.session.inc
	inc.spawn(func() {
		ctx, cancel := context.WithTimeout(a.within(inc.ctx), tellTime)
		defer cancel()
		switch first, found, err := inc.past.firstOfAll(ctx, ch, a); {
		case err != nil:
			inc.past.noFirst.warn(ctx, inc.logger, fmt.Errorf("look for what a retry repeats: %w", err))
			a.fail(rpc.Unavailable(retryAfter))
		case !found:
			otherwise()
		case !inc.past.awaitTarget(ctx, ch, first.Seq):
			a.fail(rpc.Unavailable(retryAfter))
		default:
			a.result(rpc.ActResult{ID: *a.ID, Seq: first.Seq, Time: first.Time})
		}
	})
}

// stands reports whether what a session has published at seq has passed and is not
// void, as far as that is known. The lock is held.
func (ch *channel) stands(seq int64) bool {
	voids, from := ch.Voids()
	_, void := slices.BinarySearch(voids, seq)
	return !void && from <= seq && seq <= ch.Position()
}

// first looks in the log for the act that one at seq would repeat, when it is the turn
// of who acts.
func (x *reader) first(ctx context.Context, a *act, seq int64) (room.Found, bool, error) {
	done, err := x.shares.await(ctx, a.session.reads())
	if err != nil {
		return room.Found{}, false, err
	}
	defer done()
	key, _ := a.Event.Act()
	f, found, err := x.archive.First(ctx, key, seq)
	return room.Found{Seq: f.Seq, Time: f.Time}, found, err
}

// firstOfAll is first for an act at the end of the log.
func (x *reader) firstOfAll(ctx context.Context, ch *channel, a *act) (room.Found, bool, error) {
	end, err := x.archive.End(ctx, ch.Name())
	if err != nil {
		return room.Found{}, false, err
	}
	return x.first(ctx, a, end)
}
