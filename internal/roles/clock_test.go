package roles

import (
	"strings"
	"testing"
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
