package lease

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// script plays parley.control from words, one record each:
//
//	x       connector x beats           x!  it beats for the last time
//	-x      its tombstone
//	claim   the next owner claims       T   the newest claim's owner ticks
//	old     an owner before it ticks    T9  nine ticks
type script struct {
	m      *Machine
	offset int64
	claims []int64
	number int64
}

func (s *script) play(t *testing.T, words string) {
	t.Helper()
	for _, w := range strings.Fields(words) {
		n := 1
		if _, err := fmt.Sscanf(w, "T%d", &n); err == nil {
			w = "T"
		}
		for range n {
			s.apply(t, w)
		}
	}
}

func (s *script) apply(t *testing.T, word string) {
	t.Helper()
	s.offset++
	key, value := schema.ControlKeyTick, proto.Message(nil)
	switch {
	case word == "claim":
		key, value = schema.ControlKeyClaim, &schema.ControlClaim{Worker: "w"}
		s.claims = append(s.claims, s.offset)
	case word == "T":
		s.number++
		value = &schema.Tick{Claim: s.claims[len(s.claims)-1], Number: s.number}
	case word == "old":
		s.number++
		value = &schema.Tick{Claim: s.claims[0], Number: s.number}
	case word[0] == '-':
		key = schema.ControlKeyBeat(word[1:])
	default:
		id, leaving := strings.CutSuffix(word, "!")
		key, value = schema.ControlKeyBeat(id), &schema.Beat{Leaving: leaving}
	}
	var b []byte
	if value != nil {
		var err error
		if b, err = proto.Marshal(value); err != nil {
			t.Fatal(err)
		}
		b = append([]byte{}, b...) // an empty message is not a tombstone
	}
	if err := s.m.Apply(s.offset, key, b); err != nil {
		t.Fatal(err)
	}
}

func TestDue(t *testing.T) {
	timeout, disconnect := schema.Reason_REASON_TIMEOUT, schema.Reason_REASON_DISCONNECT
	for name, c := range map[string]struct {
		records string
		want    []Death
	}{
		"nobody beats":                         {"claim T20", nil},
		"eight ticks without a beat":           {"claim a T8", []Death{{"a", timeout}}},
		"seven are not enough":                 {"claim a T7", nil},
		"a beat restarts the count":            {"claim a T7 a T7", nil},
		"in order, whatever the map says":      {"claim c a b T8", []Death{{"a", timeout}, {"b", timeout}, {"c", timeout}}},
		"dead until the tombstone":             {"claim a T8 -a", nil},
		"one that beats again is not dead":     {"claim a T8 a", nil},
		"leaving takes ten":                    {"claim a! T9", nil},
		"leaving, then down":                   {"claim a! T10", []Death{{"a", disconnect}}},
		"a new claim gives everyone full time": {"claim a T7 claim T7", nil},
		"its ticks count":                      {"claim a T7 claim T8", []Death{{"a", timeout}}},
		"ticks of an older claim do not count": {"claim a T7 claim old old old T7", nil},
		"no claim, no time":                    {"a", nil},
		// Nothing can be written, so there are neither beats nor ticks; then
		// both come again, the ticks first.
		"an outage kills nobody": {"claim a T3 T2 a T1 a", nil},
		// The owner slept; what others wrote meanwhile lies before its tick.
		"a sleeping owner kills nobody": {"claim a T1 a a a a a a a a a a T1", nil},
		// The connector dies, then the owner; the next owner reports it.
		"a connector and the owner die": {"claim a b T5 b claim b T1 b T7 b", []Death{{"a", timeout}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{m: New()}
			s.play(t, c.records)
			claim := s.m.Claim()
			if got := s.m.Due(claim); !slices.Equal(got, c.want) {
				t.Errorf("%s: due %v, want %v", c.records, got, c.want)
			}
			for _, other := range append(s.claims[:max(0, len(s.claims)-1)], -1, claim+1) {
				if got := s.m.Due(other); got != nil {
					t.Errorf("%s: due %v for the owner with claim %d, the newest is %d", c.records, got, other, claim)
				}
			}
		})
	}
}

// A tick that comes twice, because the broker forgot its producer, is one.
func TestRepeatedTickCountsOnce(t *testing.T) {
	s := &script{m: New()}
	s.play(t, "claim a T7")
	s.number--
	s.play(t, "T")
	if due := s.m.Due(s.m.Claim()); due != nil {
		t.Errorf("due %v after seven ticks and a repeat", due)
	}
}

func TestDamagedRecords(t *testing.T) {
	m := New()
	for _, key := range []string{schema.ControlKeyBeat("a"), schema.ControlKeyTick} {
		if err := m.Apply(1, key, []byte("\xff")); err == nil {
			t.Errorf("a damaged %s is accepted", key)
		}
	}
	if err := m.Apply(2, "something/new", []byte("\xff")); err != nil {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestOrphans(t *testing.T) {
	a, b := Holding{1, "a"}, Holding{2, "b"}
	look := func(s *script, held ...Holding) []Holding { return s.m.Orphans(slices.Values(held)) }
	// after plays a record before each look and returns what the last one finds.
	after := func(t *testing.T, s *script, looks int, held ...Holding) []Holding {
		for range looks - 1 {
			s.play(t, "T")
			if due := look(s, held...); due != nil {
				t.Fatalf("orphans %v too early", due)
			}
		}
		s.play(t, "T")
		return look(s, held...)
	}
	start := func(t *testing.T, words string) *script {
		s := &script{m: New()}
		s.play(t, words)
		return s
	}

	t.Run("after eight ticks", func(t *testing.T) {
		s := start(t, "claim b")
		if due := after(t, s, SilentTicks+1, a, b); !slices.Equal(due, []Holding{a}) {
			t.Errorf("orphans %v, want %v", due, a)
		}
		if due := after(t, s, SilentTicks, a); due != nil {
			t.Errorf("orphans %v again, too early", due)
		}
	})
	t.Run("a heap of ticks is one look", func(t *testing.T) {
		s := start(t, "claim T")
		look(s, a)
		s.play(t, "T60")
		if due := look(s, a); due != nil {
			t.Errorf("orphans %v after two looks", due)
		}
	})
	t.Run("no tick, no look", func(t *testing.T) {
		s := start(t, "claim T")
		for range 3 * SilentTicks {
			if due := look(s, a); due != nil {
				t.Fatalf("orphans %v without a tick", due)
			}
		}
	})
	t.Run("a beat in between restarts the count", func(t *testing.T) {
		s := start(t, "claim")
		after(t, s, SilentTicks, a)
		s.play(t, "a")
		after(t, s, 1, a)
		s.play(t, "-a")
		if due := after(t, s, SilentTicks, a); due != nil {
			t.Errorf("orphans %v, want none yet", due)
		}
	})
	t.Run("not held in between restarts the count", func(t *testing.T) {
		s := start(t, "claim")
		after(t, s, SilentTicks, a)
		after(t, s, 1)
		if due := after(t, s, SilentTicks, a); due != nil {
			t.Errorf("orphans %v, want none yet", due)
		}
	})
}
