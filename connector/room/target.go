package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// What a channel keeps of messages that are older than its ring and are changed.
const (
	TargetBytes   = 512 << 10
	TargetEntries = 256
)

const targetBytes = 384 // besides its state and its names

// Target is what memory has of a message that is to be changed. It is good as long as
// the channel's lock is held.
type Target struct {
	// Exists: there is such a message. Else nothing else is set.
	Exists     bool
	Author, To string
	Time       int64
	Deleted    bool
	// Edits, names that users react with, and pairs of user and name, those taken back
	// included.
	Edits, Names, Pairs int

	state *changes.State // nil: as it was sent
}

// Reaction says whether a user reacts with a name, and by which change; seq 0: there
// never was one.
func (t *Target) Reaction(user, name string) (seq int64, there bool) {
	if t.state == nil {
		return 0, false
	}
	return t.state.Reaction(user, name)
}

// HasName reports whether anybody reacts with a name.
func (t *Target) HasName(name string) bool { return t.state != nil && t.state.Has(name) }

func (t *Target) of(s *changes.State) {
	if t.state = s; s != nil {
		t.Deleted, t.Edits, t.Names, t.Pairs = s.Deleted() != nil, s.Edits(), s.Names(), s.Pairs()
	}
}

// Target is what memory has of a message, as of the channel's position. known is
// false where it cannot tell, as of a seq above the position.
func (c *Channel) Target(seq int64) (t Target, known bool) {
	if seq > c.replica.position {
		return Target{}, false
	}
	if seq >= c.ring.floor {
		e := c.ring.get(seq)
		if e == nil {
			return Target{}, true
		}
		t = Target{Exists: true, Author: e.user, To: e.to, Time: e.time}
		if e.fate != nil {
			t.of(&e.fate.state)
		}
		return t, true
	}
	cached := c.targets.all[seq]
	switch {
	case cached == nil:
		return Target{}, false
	case !cached.exists:
		return Target{}, true
	}
	t = Target{Exists: true, Author: cached.author, To: cached.to, Time: cached.time}
	t.of(&cached.state)
	return t, true
}

// AddTarget has memory know what history found at a seq, with every change up to
// asof; m is nil where there is no message. It reports whether memory knows it now:
// not where changes since then are no longer known.
func (c *Channel) AddTarget(seq int64, m *rpc.Message, s *changes.State, asof int64) bool {
	if c.changes.floor > asof+1 {
		return false
	}
	t := &target{seq: seq, exists: m != nil}
	if m != nil {
		t.author, t.to, t.time = m.User, m.To, m.Time
		if s != nil {
			t.state = *s
		}
		for _, r := range c.changes.from(asof + 1) {
			t.change(&r)
		}
	}
	c.targets.add(t)
	return true
}

// target is a message that is not in the ring, or that there is none.
type target struct {
	seq, time  int64
	exists     bool
	author, to string
	state      changes.State
}

func (t *target) size() int { return targetBytes + len(t.author) + len(t.to) + t.state.Bytes() }

func (t *target) change(c *changes.Record) {
	if of := (changes.Message{Seq: t.seq, User: t.author}); t.exists && c.Hits(&of) {
		t.state.Add(&of, &c.Change)
	}
}

// targets are those that were looked up last. Guarded by their channel's lock.
type targets struct {
	all   map[int64]*target
	order []int64 // in which they came
	bytes int
}

func (t *targets) add(of *target) {
	if t.all == nil {
		t.all = map[int64]*target{}
	}
	if had := t.all[of.seq]; had != nil {
		t.bytes -= had.size()
	} else {
		t.order = append(t.order, of.seq)
	}
	t.all[of.seq] = of
	t.bytes += of.size()
	t.trim()
}

// change has a change hit those that it changes.
func (t *targets) change(c *changes.Record) {
	for _, of := range t.hit(c) {
		t.bytes -= of.size()
		of.change(c)
		t.bytes += of.size()
	}
	t.trim()
}

// hit are those that a change may change.
func (t *targets) hit(c *changes.Record) (all []*target) {
	if c.Purge == nil {
		if of := t.all[c.Target]; of != nil {
			all = append(all, of)
		}
		return all
	}
	for _, of := range t.all {
		all = append(all, of)
	}
	return all
}

// trim keeps the newest one, whatever it takes.
func (t *targets) trim() {
	n := 0
	for ; len(t.order)-n > 1 && (len(t.order)-n > TargetEntries || t.bytes > TargetBytes); n++ {
		t.bytes -= t.all[t.order[n]].size()
		delete(t.all, t.order[n])
	}
	if n > 0 {
		t.order = slices.Clone(t.order[n:])
	}
}
