package eventlog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/meter"
)

// outageEvery is how often it is logged that an outage continues.
const outageEvery = time.Minute

// Outage gathers Kafka's failures in one process: it logs once that Kafka does
// not answer, once a minute that it still does not, and once that it does
// again, however many readers, producers and clients are affected. Clients share
// one by their [Config]. It is safe for concurrent use.
type Outage struct {
	log   *slog.Logger
	every time.Duration // between two lines

	mu     sync.Mutex // guards what follows
	failed map[any]struct{}
	since  time.Time // zero: no outage
	logged time.Time // when that was logged last
}

// NewOutage returns an Outage that logs to log.
func NewOutage(log *slog.Logger) *Outage {
	return &Outage{log: log, every: outageEvery, failed: map[any]struct{}{}}
}

// Note records that Kafka fails part again and again, until Over or Forget. Once ctx has ended it does nothing.
func (o *Outage) Note(ctx context.Context, part any, doing string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	o.failed[part] = struct{}{}
	now := time.Now()
	switch {
	case o.since.IsZero():
		o.since, o.logged = now, now
		o.log.Warn(trouble(err)+", trying again", "while", doing, "error", err)
	case now.Sub(o.logged) >= o.every:
		o.logged = now
		o.log.Warn(trouble(err)+" still, trying again", "for", now.Sub(o.since).Round(time.Second), "while", doing, "error", err)
	}
}

// trouble distinguishes a cluster that does not answer from one that refuses a
// request.
func trouble(err error) string {
	if errorType(err) == "broker" {
		return "Kafka refuses what was asked"
	}
	return "Kafka does not answer"
}

// Over records that part works, again or still. With the last one the outage ends.
func (o *Outage) Over(part any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failed, part)
	if len(o.failed) == 0 && !o.since.IsZero() {
		o.log.Info("Kafka answers again", "after", time.Since(o.since).Round(time.Millisecond))
		o.since = time.Time{}
	}
}

// Forget drops a part that ends. The outage lasts until another one works.
func (o *Outage) Forget(part any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.failed, part)
}

// outage counts which of a client's readers are in trouble.
type outage struct {
	away meter.Level // set once

	mu      sync.Mutex
	readers map[*Reader]struct{}
}

// enter adds a reader.
func (o *outage) enter(r *Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.alive.Err() != nil {
		return
	}
	if o.readers == nil {
		o.readers = make(map[*Reader]struct{})
	}
	o.readers[r] = struct{}{}
	if len(o.readers) == 1 {
		o.away.Add(1)
	}
}

// leave removes a reader.
func (o *outage) leave(r *Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, was := o.readers[r]
	delete(o.readers, r)
	if was && len(o.readers) == 0 {
		o.away.Add(-1)
	}
}

// trouble notes a failed attempt.
func (r *Reader) trouble(err error) {
	r.c.metrics.failed(opFetch, err, true)
	if layoutIsStale(err) {
		r.c.forgetLayout(r.layout)
	}
	if r.failures++; r.failures == loggedFailure {
		r.c.outage.enter(r)
	}
	if r.failures >= loggedFailure {
		r.c.cfg.Outage.Note(r.alive, r, "reading "+r.cfg.Topic, err)
	}
}

// recovered notes that an attempt succeeded.
func (r *Reader) recovered() {
	if r.failures >= loggedFailure {
		r.gone()
		r.c.cfg.Outage.Over(r)
	}
	r.failures, r.suspects = 0, 0
}

// gone takes the reader out of those in trouble.
func (r *Reader) gone() {
	r.c.outage.leave(r)
	r.c.cfg.Outage.Forget(r)
}
