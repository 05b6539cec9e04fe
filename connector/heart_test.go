package connector

import (
	"testing"
	"time"
)

// A clock that is set, by an hour or a year, makes no connector silent: what
// counts is how long ago the log has acknowledged a beat.
func TestSilenceIsNotOfTheWallClock(t *testing.T) {
	h := newHeart(&incarnation{})
	for _, at := range []time.Time{h.lastAck(), beatOf(h)} {
		if at == at.Round(0) {
			t.Errorf("the time of a beat, %v, has no monotonic reading", at)
		}
	}
}

func beatOf(h *heart) time.Time {
	h.beaten(time.Now(), 0)
	return h.lastAck()
}

// A beat that names a partition that there is none of does not keep connectors
// from starting.
func TestDamagedBeats(t *testing.T) {
	if got := readersOf(map[string]int{"a": -1, "b": 1, "c": 2, "d": -1 << 31, "e": 1}, 2); got[0] != 0 || got[1] != 2 {
		t.Errorf("readers %v", got)
	}
}
