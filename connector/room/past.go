package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// Found is a message that the channel still has in memory.
type Found struct{ Seq, Time int64 }

// Find looks among the newest messages for one of a user, as a
// client, with that id.
func (c *Channel) Find(user, id string, newest int) (Found, bool) {
	e, ok := c.ring.find(user, id, newest)
	return Found{e.seq, e.time}, ok
}

// Before returns the newest limit messages below seq. It is false when memory
// does not reach back far enough to tell; what it has is the page all the same.
func (c *Channel) Before(s Span, seq int64, limit int) (Page, bool) {
	p, ok := c.ring.before(s, seq, limit)
	p.Asof = c.replica.position
	return p, ok
}

// Around returns half of limit before seq and half from it on; of these what is
// nearest to seq, if not all fit. False: see Before.
func (c *Channel) Around(s Span, seq int64, limit int) (Page, bool) {
	p, ok := c.ring.around(s, seq, limit)
	p.Asof = c.replica.position
	return p, ok
}

// Floor is the seq from which on memory has every message; 0: from the channel's
// beginning in this epoch.
func (c *Channel) Floor() int64 { return c.ring.floor }

// Full reports whether older messages and changes would not stay in memory, or are not
// needed.
func (c *Channel) Full() bool { return c.ring.full() && c.changes.full(ReactionsFrom(c.ring.floor)) }

// Older is what history has from before a channel's floor.
type Older struct {
	entries []entry
	floor   int64
	epoch   string
	asof    int64
	records Records
}

// NewOlder encodes what a read from below a channel's floor found: messages, and
// their states, with every change up to asof. more says that there is more before
// these messages; else they are all from seq on. epoch is the one before, where this
// one has no more. changed are changes up to asof.
func NewOlder(messages []rpc.Message, states []*changes.State, asof int64, more bool, from int64, epoch string, changed Records) Older {
	entries := entriesOf(messages, states)
	if len(entries) < len(messages) {
		more, epoch = true, ""
	}
	if more && len(entries) > 0 {
		from = entries[0].seq
	}
	return Older{entries, from, epoch, asof, changed}
}

// Extend has memory reach further back, unless changes since the messages were read are
// not known any more; as to messages, unless its floor is another one by now.
func (c *Channel) Extend(floor int64, o Older) {
	if c.changes.floor > o.asof+1 {
		return
	}
	if c.ring.floor == floor {
		for _, r := range c.changes.from(o.asof + 1) {
			hit(o.entries, &r)
		}
		c.ring.prepend(o.entries, o.floor, o.epoch)
	}
	c.changes.prepend(o.records)
}

// entriesOf makes entries of the newest messages, as many as a ring holds. A message
// without a state is as it was sent.
func entriesOf(messages []rpc.Message, states []*changes.State) []entry {
	entries := make([]entry, 0, len(messages))
	size := fitted{bytes: RingBytes}
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		e := entry{seq: m.Seq, time: m.Time, user: m.User, to: m.To, id: clientID(m), json: rpc.AppendMessage(nil, m)}
		if i < len(states) && !states[i].Unchanged() {
			e.fate = &fate{state: *states[i]}
		}
		if !size.fits(e.size()) {
			break
		}
		entries = append(entries, e)
	}
	slices.Reverse(entries)
	return entries
}
