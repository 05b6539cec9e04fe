// Package lease decides which connectors are dead. It is a pure machine over
// the records of parley.control, in their order: no clock, no I/O. It is a
// package of its own so that tests can drive the production code.
//
// Time is made of the log. The owner of the control partition appends a tick a
// second, each after the one before was acknowledged, and a connector is dead
// when enough ticks follow its last beat. While nothing can be written nobody
// ages; an owner that slept makes up no ticks; a new owner's claim gives
// everyone the full time again. Ticks of an older claim do not count, so one
// that does not know that it lost the partition kills nobody.
//
// A worker may also hold members of a connector that has no beat in
// parley.control at all, for example when its down was missed. It ends these
// memberships after as many checks as a silent connector has ticks.
package lease

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

const (
	// SilentTicks is after how many ticks without a beat a connector is dead.
	SilentTicks = schema.LeaseTicks
	// LeavingTicks is how many ticks after its last beat a connector that
	// drained is declared down: its users had time to come back elsewhere.
	LeavingTicks = 10
)

// Machine is the state that parley.control describes. Not safe for concurrent use.
type Machine struct {
	claim      int64 // offset of the newest claim; -1: none
	number     int64 // of the newest tick of that claim
	ticks      int64 // that counted
	claimedAt  int64 // ticks at the newest claim
	connectors map[string]connector

	lookedAt int64 // ticks at the newest check for orphans
	orphans  map[Holding]int
}

// connector is what the newest beat says.
type connector struct {
	beatAt  int64 // ticks at the beat
	leaving bool
	// How long after its iat a token can expire that it takes; 0: any time after,
	// or it does not report it.
	tokenAge time.Duration
}

// Death is a connector that is to be declared down, and why.
type Death struct {
	Connector string
	Reason    schema.Reason
}

// Holding says that a partition of parley.events has members of a connector.
type Holding struct {
	Partition int
	Connector string
}

// New returns a Machine that has read nothing.
func New() *Machine {
	return &Machine{claim: -1, connectors: map[string]connector{}}
}

// Apply takes the next record of parley.control; a nil value is a tombstone.
// An error means that the record is damaged; it changed nothing then.
func (m *Machine) Apply(offset int64, key string, value []byte) error {
	if id, ok := schema.ControlBeatOf(key); ok {
		return m.beat(id, value)
	}
	switch {
	case key == schema.ControlKeyClaim && value != nil:
		m.claim, m.claimedAt, m.number = offset, m.ticks, 0
	case key == schema.ControlKeyTick && value != nil:
		return m.tick(value)
	}
	return nil
}

func (m *Machine) beat(id string, value []byte) error {
	if value == nil {
		delete(m.connectors, id)
		return nil
	}
	var b schema.Beat
	if err := proto.Unmarshal(value, &b); err != nil {
		return fmt.Errorf("beat of %s: %w", id, err)
	}
	m.connectors[id] = connector{m.ticks, b.Leaving, time.Duration(b.TokenAge) * time.Millisecond}
	return nil
}

// tick counts a tick of the newest claim, once.
func (m *Machine) tick(value []byte) error {
	var t schema.Tick
	if err := proto.Unmarshal(value, &t); err != nil {
		return fmt.Errorf("tick: %w", err)
	}
	if t.Claim == m.claim && t.Number > m.number {
		m.number = t.Number
		m.ticks++
	}
	return nil
}

// Claim is the offset of the newest claim, or -1.
func (m *Machine) Claim() int64 { return m.claim }

// TokenAge is how long after its iat a token can expire that one of the
// connectors takes; 0: any time after, or nobody knows.
func (m *Machine) TokenAge() time.Duration {
	longest := time.Duration(0)
	for _, c := range m.connectors {
		if c.tokenAge <= 0 {
			return 0
		}
		longest = max(longest, c.tokenAge)
	}
	return longest
}

// Due returns, sorted, the connectors that are to be declared down by the
// owner whose claim is at that offset: none when there is a newer claim.
// They stay due until their tombstone is read, or another beat.
func (m *Machine) Due(claim int64) []Death {
	if claim < 0 || claim != m.claim {
		return nil
	}
	var due []Death
	for id, c := range m.connectors {
		silent := m.ticks - max(c.beatAt, m.claimedAt)
		switch {
		case c.leaving && silent >= LeavingTicks:
			due = append(due, Death{id, schema.Reason_REASON_DISCONNECT})
		case !c.leaving && silent >= SilentTicks:
			due = append(due, Death{id, schema.Reason_REASON_TIMEOUT})
		}
	}
	slices.SortFunc(due, func(a, b Death) int { return cmp.Compare(a.Connector, b.Connector) })
	return due
}

// Orphans checks once what this worker holds and returns, in order, the
// holdings whose connector had no beat in parley.control at this check and the
// SilentTicks before it. Checks between two ticks count as one, so ticks that
// arrive in a burst, after a pause, are one check too: nobody is judged by what
// was read before its beat was. It must be called only when everything that
// parley.control holds was read, and with nothing held otherwise.
func (m *Machine) Orphans(held iter.Seq[Holding]) []Holding {
	if m.ticks == m.lookedAt {
		return nil
	}
	m.lookedAt = m.ticks
	looks := map[Holding]int{}
	for h := range held {
		if _, beats := m.connectors[h.Connector]; beats {
			continue
		}
		if before, seen := m.orphans[h]; seen {
			looks[h] = before + 1
		} else {
			looks[h] = 0
		}
	}
	var due []Holding
	for h, n := range looks {
		if n >= SilentTicks {
			due = append(due, h)
			delete(looks, h)
		}
	}
	m.orphans = looks
	slices.SortFunc(due, func(a, b Holding) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Connector, b.Connector))
	})
	return due
}
