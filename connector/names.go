package connector

import (
	"context"

	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// checkChannel refuses to begin a channel whose name can pass for another's.
// Those that the log has already stay readable: only for them it waits, which
// holds up the session's next requests and nobody else's.
func (c *call) checkChannel(name string) *rpc.Error {
	s := c.session
	bad := params.CheckNewName("channel", name)
	if bad == nil || schema.CheckName(name) != nil {
		return bad
	}
	ctx, cancel := context.WithTimeout(c.within(s.inc.ctx), s.inc.cfg.HistoryTime)
	defer cancel()
	known, err := s.inc.past.holds(ctx, s.user, name)
	switch {
	case err != nil:
		return rpc.HistoryUnavailable(retryAfter)
	case known:
		return nil
	}
	return bad
}

// holds looks a channel up in history when it is the user's turn.
func (x *reader) holds(ctx context.Context, user, channel string) (bool, error) {
	done, err := x.shares.await(ctx, user)
	if err != nil {
		return false, err
	}
	defer done()
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
		return x.archive.Holds(ctx, channel)
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
