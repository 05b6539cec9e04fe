package eventlog

import "sync"

// outage notes which of a client's readers are in trouble, so that the log says
// once, and not once for every partition, that reading is interrupted.
type outage struct {
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
	return len(o.readers) == 1
}

// leave removes a reader and says whether it was the last one.
func (o *outage) leave(r *Reader) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, was := o.readers[r]
	delete(o.readers, r)
	return was && len(o.readers) == 0
}

// trouble notes a failed attempt.
func (r *Reader) trouble(err error) {
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
