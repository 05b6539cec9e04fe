package rules

import (
	"sync"
	"time"
)

// maxLost bounds the rules that wait to be written again.
const maxLost = 10_000

// Sweep decides what the owner of the control partition writes to parley.rules:
// tombstones for rules that are over. It is pure, as a Table is, and safe for
// concurrent use.
//
// A tombstone takes away what was written just before it, too, such as a new
// revocation of a user whose old one was over. So a rule that is not over and was
// taken away by a tombstone is written again.
type Sweep struct {
	table *Table

	mu   sync.Mutex
	lost map[id]*entry // taken away by tombstones
}

// NewSweep returns what keeps a table's topic clean. Every change of the table is
// to be told to Note.
func NewSweep(t *Table) *Sweep { return &Sweep{table: t, lost: map[id]*entry{}} }

// Note takes note of a change of the table.
func (s *Sweep) Note(c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.set:
		delete(s.lost, id{c.Kind, c.Name})
	case c.gone != nil && c.Kind != Ordered && len(s.lost) < maxLost:
		s.lost[c.gone.id] = c.gone
	}
}

// Next returns what to write: tombstones, and rules that are to be there again.
// now is the time of the newest tick, tokenAge is as for Table.Ended. It is called
// when everything was read that the topic holds. What it returns it returns again
// until the table has it.
func (s *Sweep) Next(now time.Time, tokenAge time.Duration) []Rule {
	var all []Rule
	for _, key := range s.table.Ended(now, tokenAge) {
		r, _ := named(key)
		all = append(all, r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for which, e := range s.lost {
		if e.over(now, tokenAge) {
			delete(s.lost, which)
		} else {
			all = append(all, Rule{e.kind, e.name, e.decoded()})
		}
	}
	return all
}
