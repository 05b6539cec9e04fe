package connector

import (
	"context"
	"fmt"

	"github.com/parley-chat/parley/schema/rpc"
)

// isUnsure reports whether history may have what makes a message too soon, or whether
// one of the same session waits for that already: they keep their order. It is read
// once for a channel. Both locks are held.
func (a *act) isUnsure(ch *channel) bool {
	if ch.filled || a.Event.GetChat() == nil {
		return false
	}
	return a.place.unjudged == ch || ch.mayLack(a.session.user) && !a.place.moderates()
}

// judgeLater has a message wait until memory is filled from history. Both locks are
// held.
func (a *act) judgeLater(ch *channel) *rpc.Error {
	if bad := a.keep(); bad != nil {
		return bad
	}
	a.place.unjudged = ch
	if ch.unjudged = append(ch.unjudged, a); len(ch.unjudged) == 1 {
		a.session.inc.spawn(func() { a.session.inc.past.judge(ch, a) })
	}
	return nil
}

// judge fills a channel's memory on behalf of the first message that waits, and takes
// all of them up again. Without history what is in memory decides: chats do not depend
// on it.
func (x *reader) judge(ch *channel, first *act) {
	if err := x.fillFor(ch, first); err != nil {
		x.noHistory.warn(x.inc.ctx, x.inc.logger, fmt.Errorf("look for what slow mode counts: %w", err))
	}
	ch.Lock()
	defer ch.Unlock()
	waiting := ch.unjudged
	ch.filled, ch.unjudged = true, nil
	for _, a := range waiting {
		a.judged(ch)
	}
}

// fillFor fills a channel's memory in the turn of an act's user.
func (x *reader) fillFor(ch *channel, a *act) error {
	ctx, cancel := context.WithTimeout(a.within(x.inc.ctx), x.inc.cfg.HistoryTime)
	defer cancel()
	done, err := x.shares.await(ctx, a.session.user)
	if err != nil {
		return err
	}
	defer done()
	return x.fill(ctx, ch, a.span)
}

// judged takes a message up that has waited. The channel's lock is held.
func (a *act) judged(ch *channel) {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	a.place.unjudged = nil
	if s.ended || s.inc.ctx.Err() != nil {
		a.abandon()
		return
	}
	a.passed(ch)
}
