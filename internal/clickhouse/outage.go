package clickhouse

import (
	"sync"
	"time"
)

// outage is a time in which the database cannot be used.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: no outage
}

func (o *outage) note(db *DB, what string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		o.since = time.Now()
		db.metrics.away.Add(1)
		db.opts.Logger.Warn("ClickHouse is in trouble, trying until it works",
			"servers", db.Addresses(), "task", what, "error", err)
	}
}

func (o *outage) over(db *DB) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		db.opts.Logger.Info("ClickHouse works again",
			"servers", db.Addresses(), "after", time.Since(o.since).Round(time.Millisecond))
		o.end(db)
	}
}

// forget ends the outage, if any, when nothing is affected by it any more.
func (o *outage) forget(db *DB) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.end(db)
	}
}

// end ends the outage. The lock is held.
func (o *outage) end(db *DB) {
	o.since = time.Time{}
	db.metrics.away.Add(-1)
}

// Outage is for how long the database could not be used up to now, by what
// Retry met; 0 when it can be.
func (db *DB) Outage() time.Duration {
	db.outage.mu.Lock()
	defer db.outage.mu.Unlock()
	if db.outage.since.IsZero() {
		return 0
	}
	return time.Since(db.outage.since)
}
