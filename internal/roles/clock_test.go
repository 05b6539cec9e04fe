package roles

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/schema"
)

// A clock that is far from the ticks is reported, one late tick is not.
func TestClockFarFromTheTicks(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		off  []time.Duration // of this clock from each tick
		says string
	}{
		"in step":               {[]time.Duration{0, time.Second, -4 * time.Second, 2 * time.Second}, ""},
		"ahead":                 {[]time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second}, "9s ahead of the ticks"},
		"behind":                {[]time.Duration{-60 * time.Second, -60 * time.Second, -60 * time.Second}, "1m0s behind the ticks"},
		"a late tick":           {[]time.Duration{0, 9 * time.Second, 0, 9 * time.Second, 9 * time.Second}, ""},
		"synchronised":          {[]time.Duration{9 * time.Second, 9 * time.Second, 9 * time.Second, 0}, ""},
		"late within the slack": {[]time.Duration{7 * time.Second, 7 * time.Second, 7 * time.Second}, ""},
	} {
		var clock Clock
		for _, off := range c.off {
			clock.Note(&schema.Tick{Time: now.Add(-off).UnixMilli()}, now, 2500*time.Millisecond)
		}
		if got := clock.Trouble(); (c.says == "") != (got == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
}

// A Kafka that refuses for a while leaves the clock watched.
func TestWatchClockOutlivesRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var clock Clock
		asked := 0
		go watchClock(ctx, &clock, func() *schema.Tick {
			if asked++; asked <= 5 {
				return nil
			}
			return &schema.Tick{Time: time.Now().Add(-time.Hour).UnixMilli()}
		})
		time.Sleep(20 * clockEvery)
		if clock.Trouble() == "" {
			t.Errorf("asked %d times, a clock an hour ahead is not reported", asked)
		}
	})
}
