package history

import (
	"maps"
	"slices"
	"testing"
)

// Who comes while a read is under way shares it when it covers what he wants,
// else the next one, which covers what all want who wait for it.
func TestWhoSharesWhichRead(t *testing.T) {
	running := newTailRead(t.Context(), "lobby", 100, 200, false)
	tail := &tail{running: running}
	share := func(channel string, from, to int64, judge bool) *tailRead {
		t.Helper()
		r, err := tail.share(t.Context(), channel, from, to, judge)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if share("lobby", 100, 200, false) != running || share("lobby", 150, 180, false) != running {
		t.Error("a read that is covered did not share the running one")
	}
	next := share("room", 150, 180, false)
	for _, r := range []*tailRead{
		share("lobby", 99, 200, false), share("lobby", 100, 201, false), share("lobby", 100, 200, true), next,
	} {
		if r == running || r != next {
			t.Error("a read that is not covered did not share the next one")
		}
	}
	channels := slices.Sorted(maps.Keys(next.channels))
	if next.from != 99 || next.to != 201 || !next.judge || !slices.Equal(channels, []string{"lobby", "room"}) {
		t.Errorf("the next read is of [%d, %d) of %v, judging %v", next.from, next.to, channels, next.judge)
	}
	if running.from != 100 || running.to != 200 || running.judge || len(running.channels) != 1 {
		t.Error("the running read was changed")
	}
}
