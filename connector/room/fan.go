package room

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/parley-chat/parley/connector/quota"
)

// BatchBytes is how much of a batch members get at once, but one frame at least.
// What comes after it waits until the writers have had their turn: a burst that
// is longer than a queue throws out nobody who reads.
const BatchBytes = 256 << 10

// frameSpare is what a dialect may want of a batch's room beyond what it writes.
const frameSpare = 64

// fan spreads what happens in a channel over those members who speak one
// dialect.
type fan struct {
	dialect Dialect
	members []*Member

	out      []byte // frames of this batch, laid end to end, not yet sent
	messages int    // among them
	batch    int
	cut      bool // the batch was flushed before its end
	lastSize int

	delivered int // messages handed to outlets, not counted yet

	backlog      []delivery // since the oldest result in the making
	passed       int        // deliveries that were in the backlog before these
	backlogBytes atomic.Int64
	backlogs     *quota.Pool // of all channels; nil: none
	readers      []*Member   // whose result is being made, the oldest first; some have left meanwhile
}

// lay gives every member a frame, which write appends; nothing where it appends
// nothing, as a dialect may have no word for it.
func (f *fan) lay(message bool, write func([]byte) []byte) {
	if f.out == nil {
		f.out = make([]byte, 0, f.lastSize+frameSpare)
	}
	start := len(f.out)
	out := write(f.out)
	if len(out) == start {
		return
	}
	if start > 0 && len(out) > BatchBytes {
		f.flush()
		f.cut = true
		out, start = bytes.Clone(out[start:]), 0
	}
	f.out = out
	f.keep(delivery{frame: out[start:len(out):len(out)], message: message})
	if message {
		f.messages++
	}
}

// whisper gives a frame to those whom d reaches.
func (f *fan) whisper(d delivery, write func([]byte) []byte) {
	if d.frame = write(nil); len(d.frame) == 0 {
		return
	}
	f.keep(d)
	for _, m := range f.members {
		if m.stage == live && d.reaches(m) {
			f.sendTo(m)
			m.Outlet.Send(d.frame)
			if d.message {
				f.delivered++
			}
		}
	}
}

// sendTo sends m its part of the batch so far.
func (f *fan) sendTo(m *Member) {
	from := 0
	f.delivered += f.messages
	if m.batch == f.batch {
		from = m.from
		f.delivered -= m.had
	}
	if part := f.out[from:len(f.out):len(f.out)]; len(part) > 0 {
		m.Outlet.Send(part)
	}
	m.batch, m.from, m.had = f.batch, len(f.out), f.messages
}

// flush ends the batch: every member gets the same bytes.
func (f *fan) flush() {
	if len(f.out) == 0 {
		return
	}
	for _, m := range f.members {
		if m.stage == live {
			f.sendTo(m)
		}
	}
	f.lastSize = len(f.out)
	f.out, f.messages = nil, 0
	f.batch++
}

// attach makes m a member whose pushes wait for the result of its join.
func (f *fan) attach(m *Member) {
	m.fan, m.stage, m.index = f, catchingUp, len(f.members)
	f.members = append(f.members, m)
	m.cursor = f.passed + len(f.backlog)
	f.readers = append(f.readers, m)
}

// detach ends m's membership.
func (f *fan) detach(m *Member) {
	switch m.stage {
	case live:
		f.sendTo(m)
	case catchingUp:
		m.end = f.passed + len(f.backlog)
	}
	m.stage = outside
	last := f.members[len(f.members)-1]
	f.members[m.index], last.index = last, m.index
	f.members[len(f.members)-1] = nil
	f.members = f.members[:len(f.members)-1]
}

// expel is detach, where that was not done yet, and drops what waits for m's result.
func (f *fan) expel(m *Member) {
	if m.stage != outside {
		f.detach(m)
	}
	f.settle(m)
}

// settle keeps nothing for m's result any more.
func (f *fan) settle(m *Member) {
	if i := slices.Index(f.readers, m); i >= 0 {
		f.readers = slices.Delete(f.readers, i, i+1)
	}
	f.trimBacklog()
}

// goLive sends m what waited for its result, up to where it was detached, and returns
// how many messages that were.
func (f *fan) goLive(m *Member) (messages int) {
	end := f.passed + len(f.backlog)
	if m.stage == outside {
		end = max(m.end, m.cursor)
	}
	needed := f.backlog[m.cursor-f.passed : end-f.passed]
	for i := range needed {
		if d := &needed[i]; d.reaches(m) {
			m.Outlet.Send(d.frame)
			if d.message {
				messages++
			}
		}
	}
	if m.stage == catchingUp { // else it has left meanwhile
		m.stage = live
	}
	m.batch, m.from, m.had = f.batch, len(f.out), f.messages
	f.settle(m)
	return messages
}
