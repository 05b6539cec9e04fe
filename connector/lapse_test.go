package connector

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// A lease runs out by ticks between two beats, not by time, and a claim or a
// beat whose answer was lost begins it again. Where records were compacted away
// nobody can tell.
func TestLapse(t *testing.T) {
	times := func(n int, key string) (keys []string) {
		for range n {
			keys = append(keys, key)
		}
		return keys
	}
	tick, claim, own, other := schema.ControlKeyTick, schema.ControlKeyClaim, schema.ControlKeyBeat("me"), schema.ControlKeyBeat("you")
	for name, c := range map[string]struct {
		keys   []string // between the two beats; "": a record that is gone
		err    error
		lapsed bool
	}{
		"nothing between":                {keys: nil},
		"an outage":                      {keys: times(3, other)},
		"one tick too few":               {keys: append(times(7, tick), other)},
		"a whole lease":                  {keys: append(times(4, tick), append(times(2, other), times(4, tick)...)...), lapsed: true},
		"a claim gives the time again":   {keys: append(times(7, tick), append(times(1, claim), times(7, tick)...)...)},
		"a beat that was not answered":   {keys: append(times(7, tick), append(times(1, own), times(7, tick)...)...)},
		"it ran out before the claim":    {keys: append(times(8, tick), claim), lapsed: true},
		"compacted":                      {keys: []string{tick, "", tick}, lapsed: true},
		"corrupt":                        {err: &eventlog.CorruptError{}, lapsed: true},
		"the beginning was compacted":    {err: &eventlog.OffsetError{}, lapsed: true},
		"parley.control cannot be read":  {err: errors.New("no answer")},
		"parley.control is not the same": {err: eventlog.ErrLogReplaced},
	} {
		t.Run(name, func(t *testing.T) {
			const before = 100
			now := before + int64(len(c.keys)) + 1
			err := lapse("me", before, now, func(from, to int64, fn func(eventlog.Record) error) error {
				if from != before+1 || to != now {
					t.Errorf("reads [%d, %d), want [%d, %d)", from, to, before+1, now)
				}
				for _, key := range c.keys {
					if key != "" {
						_ = fn(eventlog.Record{Key: []byte(key)})
					}
				}
				return c.err
			})
			if errors.Is(err, errLapsed) != c.lapsed || (err == nil) != (c.err == nil && !c.lapsed) {
				t.Errorf("%v, want lapsed %v", err, c.lapsed)
			}
		})
	}
}
