package roles

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	// clockBound is how far a role's clock may be from the ticks.
	clockBound = 5 * time.Second
	// clockNotes is how many ticks in a row must show it: one may be late.
	clockNotes = 3
	// clockEvery is how often WatchClock checks, and clockWait for how long it
	// waits for a tick.
	clockEvery = 10 * time.Second
	clockWait  = 2500 * time.Millisecond
	// clockBudget bounds what is read in that time.
	clockBudget = 16 << 20
)

// Clock compares this machine's clock with the ticks of parley.control, which
// carry that of the chat worker that keeps the leases. The zero value is ready
// for use; it is safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	off   time.Duration // of the newest tick; above 0: this clock is ahead
	notes int           // ticks in a row that were off
}

// Note takes a tick that was appended within slack before now.
func (c *Clock) Note(tick *schema.Tick, now time.Time, slack time.Duration) {
	off := now.Sub(time.UnixMilli(tick.Time))
	c.mu.Lock()
	defer c.mu.Unlock()
	if off < -clockBound || off > clockBound+slack {
		c.off, c.notes = off, c.notes+1
	} else {
		c.off, c.notes = 0, 0
	}
}

// Trouble reports by how much the clocks differ; "" when they do not.
func (c *Clock) Trouble() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.notes < clockNotes {
		return ""
	}
	side := "ahead of"
	off := c.off
	if off < 0 {
		side, off = "behind", -off
	}
	return fmt.Sprintf("the clock of this machine is about %v %s the ticks in %s: synchronise the clocks, with NTP; times in messages are wrong by as much",
		off.Round(time.Second), side, schema.TopicControl)
}

// TickOf is the tick that a record of parley.control carries; nil when it
// carries none.
func TickOf(r *eventlog.Record) *schema.Tick {
	var tick schema.Tick
	if string(r.Key) != schema.ControlKeyTick || r.Value == nil || proto.Unmarshal(r.Value, &tick) != nil {
		return nil
	}
	return &tick
}

// WatchClock notes a tick now and then until ctx ends, for a role that does not
// follow parley.control. What keeps it from reading is reported by those who
// cannot do without Kafka: it tries again.
func WatchClock(ctx context.Context, kafka *eventlog.Client, c *Clock) {
	watchClock(ctx, c, func() *schema.Tick { return nextTick(ctx, kafka) })
}

func watchClock(ctx context.Context, c *Clock, next func() *schema.Tick) {
	for {
		if tick := next(); tick != nil {
			c.Note(tick, time.Now(), clockWait)
		}
		if !Sleep(ctx, clockEvery) {
			return
		}
	}
}

// nextTick is the newest tick of those that come within clockWait; nil when none
// does, or when Kafka does not say.
func nextTick(ctx context.Context, kafka *eventlog.Client) (newest *schema.Tick) {
	_, from, err := kafka.Offsets(ctx, schema.TopicControl, 0)
	if err != nil || !Sleep(ctx, clockWait) {
		return nil
	}
	_, end, err := kafka.Offsets(ctx, schema.TopicControl, 0)
	if err != nil {
		return nil
	}
	err = kafka.ReadRange(ctx, schema.TopicControl, 0, from, end, clockBudget, func(r eventlog.Record) error {
		if tick := TickOf(&r); tick != nil {
			newest = tick
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return newest
}

// Sleep waits for d; false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
