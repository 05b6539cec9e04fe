package eventlog

import (
	"sync"

	"github.com/parley-chat/parley/internal/meter"
)

// outage notes which of a client's readers are in trouble, so that the log says
// once, and not once for every partition, that reading is interrupted.
type outage struct {
	away meter.Level // set once

	mu      sync.Mutex
	readers map[*Reader]struct{}
}

// enter adds a reader and says whether it is the first one.
func (o *outage) enter(r *Reader) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.alive.Err() != nil {
		return false
	}
	if o.readers == nil {
		o.readers = make(map[*Reader]struct{})
	}
	o.readers[r] = struct{}{}
	first := len(o.readers) == 1
	if first {
		o.away.Add(1)
	}
	return first
}

// leave removes a reader and says whether it was the last one.
func (o *outage) leave(r *Reader) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, was := o.readers[r]
	delete(o.readers, r)
	last := was && len(o.readers) == 0
	if last {
		o.away.Add(-1)
	}
	return last
}

// trouble notes a failed attempt.
func (r *Reader) trouble(err error) {
	r.c.metrics.failed(opFetch, err, true)
	if layoutIsStale(err) {
		r.c.forgetLayout(r.layout)
	}
	if r.failures++; r.failures == loggedFailure && r.c.outage.enter(r) {
		r.c.log.Warn("reading is interrupted, trying again",
			"topic", r.cfg.Topic, "partition", r.cfg.Partition, "offset", r.offset, "error", err)
	}
}

// recovered notes that an attempt succeeded.
func (r *Reader) recovered() {
	if r.failures >= loggedFailure && r.c.outage.leave(r) {
		r.c.log.Info("reading goes on", "topic", r.cfg.Topic, "partition", r.cfg.Partition, "offset", r.offset)
	}
	r.failures, r.suspects = 0, 0
}
