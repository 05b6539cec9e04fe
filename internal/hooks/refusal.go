package hooks

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/roles"
)

// refusal is since when the receiver refuses the events that come first. It is counted
// where such are given up, and kept across owners of the partition; the time in which
// nobody owned it does not count. The zero value is none.
type refusal struct {
	since time.Time
	below int64 // the events are those below: others may have joined their batch after a restart
}

// kept is a refusal as a HooksFrom has it.
func (r *refusal) kept() (milliseconds, below int64) {
	if r.since.IsZero() {
		return 0, 0
	}
	return time.Since(r.since).Milliseconds(), r.below
}

// afterRefusal waits until the batch that was refused is to be sent again. What of it was
// refused for too long, or is to be skipped, is left out.
func (p *partition) afterRefusal(ctx context.Context, tried time.Time, refused error, wait *backoff.ExponentialBackOff) error {
	if most := p.h.cfg.GiveUp; most > 0 {
		if p.refusal.since.IsZero() {
			p.refusal = refusal{tried, p.batch.to() + 1}
		}
		if time.Since(p.refusal.since) >= most {
			p.giveUp(refused)
			return nil
		}
		if time.Since(p.positioned) >= p.h.timing.position {
			if err := p.savePosition(ctx); err != nil {
				return err
			}
		}
	}
	if !roles.Sleep(ctx, p.h.timing.pause(refused, wait)) {
		return ctx.Err()
	}
	return p.skipByHand(ctx)
}

// giveUp leaves out what the receiver did not take for too long, and counts from the
// beginning for the rest of the batch.
func (p *partition) giveUp(err error) {
	from, below := p.batch.from(), p.refusal.below
	p.refusal = refusal{}
	n := p.batch.skip(below)
	if n == 0 {
		return
	}
	p.h.log.Error("events were given up: the receiver did not take them", "partition", p.id, "from", from, "to", below-1,
		"events", n, "after", p.h.cfg.GiveUp, "error", err)
	p.h.metrics.skipped.Add(n, skippedGivenUp)
	if p.batch.empty() {
		p.h.troubles.end(p.id)
		return
	}
	p.translator.from.next = max(p.translator.from.next, below)
}

// skipByHand leaves out what an operator wants to be left out.
func (p *partition) skipByHand(ctx context.Context) error {
	to, err := p.checkpoint.lookForSkip(ctx)
	if err != nil || to <= p.translator.from.next {
		return err
	}
	p.translator.from.next = to
	n := p.batch.skip(to)
	if n == 0 {
		return nil
	}
	p.h.log.Warn("events are skipped, as `parley hooks skip` says", "partition", p.id, "below", to, "events", n)
	p.h.metrics.skipped.Add(n, skippedByHand)
	if p.batch.empty() {
		p.h.troubles.end(p.id)
	}
	return nil
}
