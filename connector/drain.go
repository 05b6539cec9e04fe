package connector

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema/rpc"
)

// drain ends the sessions in a planned way and announces it in its beats. It
// returns early when alive ends: the incarnation ended on its own meanwhile.
func (inc *incarnation) drain(alive context.Context) {
	delay, over := inc.cfg.DrainDelay, inc.cfg.Drain
	inc.logger.Info("draining", "sessions", len(inc.sessions.list()), "delay", delay, "over", over)
	if !roles.Sleep(alive, delay) {
		return
	}
	inc.draining.Store(true)
	sessions := inc.sessions.list()
	for _, s := range sessions {
		s.front.Push(rpc.PushDrain, rpc.DrainPush{After: over.Milliseconds()})
	}
	if over > 0 && !inc.closeInTurn(alive, sessions, over) {
		return
	}
	ctx, cancel := context.WithTimeout(alive, 2*beatTimeout)
	defer cancel()
	if err := inc.events.producer.Flush(ctx); err != nil {
		inc.logger.Warn("stopped with events that the log has not acknowledged; their senders will repeat them", "error", err)
	}
	inc.sessions.close(rpc.CloseShutdown, "shutting down")
	if err := inc.heart.leave(ctx); err != nil {
		inc.logger.Warn("the last beat, which announces the stop, was not acknowledged: users are seen to leave when the lease runs out", "error", err)
	}
}

// closeInTurn closes sessions one after the other, in any order, spread over
// the given time. Those that have gone by themselves take none of it. It is
// false when alive ended.
func (inc *incarnation) closeInTurn(alive context.Context, sessions []*session, over time.Duration) bool {
	rand.Shuffle(len(sessions), func(i, j int) { sessions[i], sessions[j] = sessions[j], sessions[i] })
	next := time.Now()
	for _, s := range sessions {
		if s.front.Closing() {
			continue
		}
		next = next.Add(over / time.Duration(len(sessions)))
		if !roles.Sleep(alive, time.Until(next)) {
			return false
		}
		s.front.Close(rpc.CloseShutdown, "shutting down")
	}
	return true
}
