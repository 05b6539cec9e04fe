package connector

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/schema"
)

// A connector whose clock is far from the ticks gets no clients, and says so in its
// beats, until the clock is right again.
func TestWrongClockIsNotReady(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t)
	says := func(s string) bool {
		return strings.Contains(s, "the clock of this machine is about 1h0m0s ahead of the ticks")
	}
	want := func(what string, wrong bool) {
		t.Helper()
		h := r.c.Health(t.Context())
		if got := slices.ContainsFunc(h.Unready, says); got != wrong {
			t.Errorf("%s: it is not ready because of %q", what, h.Unready)
		}
		if got := slices.ContainsFunc(r.c.troubles(), says); got != wrong {
			t.Errorf("%s: its beats say %q", what, r.c.troubles())
		}
		if slices.ContainsFunc(h.Warnings, says) {
			t.Errorf("%s: it warns as well: %q", what, h.Warnings)
		}
	}
	want("at first", false)
	now := time.Now()
	for range 3 {
		want("not yet", false)
		r.c.clock.Note(&schema.Tick{Time: now.Add(-time.Hour).UnixMilli()}, now, 0)
	}
	want("an hour ahead", true)
	r.c.clock.Note(&schema.Tick{Time: now.UnixMilli()}, now, 0)
	want("set", false)
}
