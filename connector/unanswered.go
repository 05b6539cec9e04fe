package connector

import "sync/atomic"

const (
	requestBytes = 128 << 20 // of what all sessions have asked, together
	requestShare = 2 << 10   // that each session has beyond them
	callBytes    = 512       // that an unanswered request takes besides its id
	waitBytes    = 12 << 10  // that one takes besides while its answer waits for room or history
	backlogTotal = 64 << 20  // of all channels' backlogs together
	smallMessage = 4 << 10   // read without being counted
)

// tally bounds the bytes that a connector keeps for what its sessions have
// asked: messages that are being read or wait to be handled, ids of unanswered
// requests, answers that wait. Beyond limit each session has its share still,
// so that a flood of some refuses nothing small to the others. Safe for
// concurrent use.
type tally struct {
	limit, share int64
	used         atomic.Int64
}

// take counts n bytes more, unless that is too much. held is what one session
// holds of the tally, and most what it may hold.
func (t *tally) take(held *atomic.Int64, n, most int) bool {
	if t == nil {
		return true
	}
	own, all := held.Add(int64(n)), t.used.Add(int64(n))
	if own <= t.share || own <= int64(most) && all <= t.limit {
		return true
	}
	t.give(held, n)
	return false
}

// give counts n bytes less.
func (t *tally) give(held *atomic.Int64, n int) {
	if t != nil {
		held.Add(-int64(n))
		t.used.Add(-int64(n))
	}
}

// take counts n bytes of the connection's requests; false: they are too many.
func (c *conn) take(n int) bool { return c.requests.take(&c.asked, n, c.limit) }

// give counts n bytes less.
func (c *conn) give(n int) { c.requests.give(&c.asked, n) }

// take counts n bytes more until the call is answered; false: there is no room
// for them, and the call is to be refused.
func (c *call) take(n int) bool {
	if !c.session.conn.take(n) {
		return false
	}
	c.cost += n
	return true
}
