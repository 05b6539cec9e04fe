package connector

import (
	"testing"
	"time"

	"github.com/parley-chat/parley/schema"
)

// An order is about the sessions of before, by the clock of who follows it too,
// and is forgotten when it is over.
func TestOrders(t *testing.T) {
	b, now := newRulebook(), time.Now()
	b.order("ada", &schema.Order{Time: now.Add(20 * time.Second).UnixMilli()}, now)
	for greeted, want := range map[time.Duration]bool{-time.Second: true, time.Second: false} {
		if got := b.ordered("ada", "s", now.Add(greeted), now.Add(2*time.Second)) != nil; got != want {
			t.Errorf("of a clock that is ahead, a session of %v is ended: %v", greeted, got)
		}
	}
	for i := range 200 {
		b.order("ada", &schema.Order{Time: now.UnixMilli()}, now.Add(time.Duration(i)*time.Second))
	}
	if n := len(b.orders["ada"]); n > 40 {
		t.Errorf("%d orders are kept, of which 30 are looked at", n)
	}
}
