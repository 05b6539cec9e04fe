package fold

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// presence is who is in which channel by moves alone.
type presence map[[2]string]bool

// take checks that moves fit each other and what is known.
func (p presence) take(t *rapid.T, offset int64, moves []Move) {
	for _, m := range moves {
		at := [2]string{m.Channel, m.User}
		if p[at] == m.Joined {
			t.Fatalf("offset %d: %+v, which changes nothing", offset, m)
		}
		if m.Joined {
			p[at] = true
		} else {
			delete(p, at)
		}
		if n := p.count(m.Channel); n != m.Users {
			t.Fatalf("offset %d: %+v, there are %d", offset, m, n)
		}
	}
}

func (p presence) count(channel string) (n int) {
	for at := range p {
		if at[0] == channel {
			n++
		}
	}
	return n
}

// Members and their moves agree with the Fold after every event.
func TestMembersAreThoseOfTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, m, seen := New(testLog), NewMembers(testLog), presence{}
		for i, e := range drawLog(t) {
			apply(t, f, int64(i), e)
			_, moves, err := m.Apply(int64(i), e)
			if err != nil {
				t.Fatal(err)
			}
			seen.take(t, int64(i), moves)
			want := presence{}
			for name, ch := range f.channels {
				for user := range ch.users {
					want[[2]string{name, user}] = true
				}
			}
			if !maps.Equal(seen, want) {
				t.Fatalf("offset %d: by moves %v are present, by the fold %v", i, seen, want)
			}
		}
	})
}

// stop is where Members could be stopped: what is stored then, up to where that is
// complete, and up to where a flush has left something.
type stop struct {
	stored         *Checkpoint
	complete, torn int64
}

// Restored from any checkpoint, and from one whose newest flush is torn anywhere,
// Members give the moves that those give which were never stopped, from the end of
// that flush on.
func TestRestoredMembersGoOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := drawLog(t)
		m, stored := NewMembers(testLog), NewCheckpoint()
		var moves [][]Move
		var stops []stop
		complete := int64(0)
		for i, e := range events {
			_, now, err := m.Apply(int64(i), e)
			if err != nil {
				t.Fatal(err)
			}
			moves = append(moves, now)
			if rapid.IntRange(0, 5).Draw(t, "flush") > 0 {
				continue
			}
			records, err := m.Flush(0)
			if err != nil {
				t.Fatal(err)
			}
			torn := rapid.IntRange(0, len(records)).Draw(t, "written")
			for i, r := range records { // an owner that is not stopped writes all of them
				if i == torn {
					stops = append(stops, stop{copied(stored), complete, m.Next()})
				}
				stored.Put(r)
			}
			complete = m.Next()
			stops = append(stops, stop{copied(stored), complete, complete})
		}
		for _, s := range stops {
			restoresAt(t, s, events, moves)
		}
	})
}

func copied(c *Checkpoint) *Checkpoint {
	return &Checkpoint{values: maps.Clone(c.values), channels: map[string]*channel{}}
}

// restoresAt checks the moves of Members that are restored.
func restoresAt(t *rapid.T, s stop, events []*schema.Event, moves [][]Move) {
	m, err := RestoreMembers(testLog, s.stored)
	if err != nil {
		t.Fatal(err)
	}
	if m.Next() != s.complete {
		t.Fatalf("restored at %d, the checkpoint is of %d", m.Next(), s.complete)
	}
	for i := m.ReadFrom(); i < int64(len(events)); i++ {
		_, got, err := m.Apply(i, events[i])
		if err != nil {
			t.Fatal(err)
		}
		if i >= s.torn && !slices.EqualFunc(got, moves[i], same) {
			t.Fatalf("offset %d: restored at %d: %+v, want %+v", i, s.complete, got, moves[i])
		}
	}
}

func same(a, b Move) bool {
	return a.Channel == b.Channel && a.User == b.User && a.Joined == b.Joined && a.Reason == b.Reason && a.Users == b.Users
}
