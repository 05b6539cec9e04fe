package room

import (
	"encoding/json"
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// fate is what became of an entry's message.
type fate struct {
	state changes.State
	stale bool // the entry's JSON is older
}

// change has a change hit the entry.
func (e *entry) change(c *changes.Record) {
	if e.fate == nil {
		e.fate = new(fate)
	}
	e.fate.state.Add(&changes.Message{Seq: e.seq, User: e.user}, &c.Change)
	e.fate.stale = true
}

// encode brings the entry's JSON up to date. It is done when somebody asks: changes
// may come faster.
func (e *entry) encode() {
	if e.fate == nil || !e.fate.stale {
		return
	}
	e.fate.stale = false
	var m rpc.Message
	if json.Unmarshal(e.json, &m) == nil { // which AppendMessage wrote
		e.fate.state.Show(&m)
		e.json = rpc.AppendMessage(nil, &m)
	}
}

// size is what the entry takes of the ring's bytes.
func (e *entry) size() int {
	if e.fate == nil {
		return len(e.json)
	}
	return len(e.json) + e.fate.state.Bytes()
}

// mine is what a user reacts with.
func (e *entry) mine(user string) []string {
	if e.fate == nil {
		return nil
	}
	return e.fate.state.Mine(user)
}

// hit has a change hit those of entries whose messages it changes.
func hit(entries []entry, c *changes.Record) (grown int) {
	one := func(e *entry) {
		before := e.size()
		e.change(c)
		grown += e.size() - before
	}
	if c.Purge == nil {
		if i, found := position(entries, c.Target); found {
			one(&entries[i])
		}
		return grown
	}
	for i := range entries {
		if e := &entries[i]; c.Hits(&changes.Message{Seq: e.seq, User: e.user}) {
			one(e)
		}
	}
	return grown
}

// position is where the entry of a seq is, or would be.
func position(entries []entry, seq int64) (i int, found bool) {
	return slices.BinarySearchFunc(entries, seq, func(e entry, seq int64) int { return int(e.seq - seq) })
}

// get is the entry of a seq; nil: there is none.
func (r *ring) get(seq int64) *entry {
	if i, found := position(r.entries, seq); found {
		return &r.entries[i]
	}
	return nil
}

// change has a change hit the messages in the ring.
func (r *ring) change(c *changes.Record) {
	r.bytes += hit(r.entries, c)
	r.trim()
}

// current is the entry as it stands, for a user.
func (r *ring) current(e *entry, user string) shown {
	before := e.size()
	e.encode()
	r.bytes += e.size() - before
	s := shown{entry: e, size: len(e.json)}
	if names := e.mine(user); len(names) > 0 {
		s.mine = rpc.Mine{Seq: e.seq, Names: names}
		s.size += 1 + len(rpc.AppendJSON(nil, &s.mine))
	}
	return s
}

// shown is an entry as a page has it.
type shown struct {
	*entry
	mine rpc.Mine // without names: none
	size int      // encoded, with what stands beside it
}
