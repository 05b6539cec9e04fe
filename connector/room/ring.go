package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// RingBytes bounds what a channel keeps of its newest messages. That is at least
// what a recovery may ask for.
const RingBytes = 1 << 20

// entry is a message in a ring.
type entry struct {
	seq, time    int64
	user, to, id string
	json         []byte // the message as history shows it, but for what fate has to say
	fate         *fate  // nil: nobody changed it
}

// clientID is the message's id among those of clients; "": a backend sent it, whose ids
// are apart.
func clientID(m *rpc.Message) string {
	if m.Origin != "" {
		return ""
	}
	return m.ID
}

func (e *entry) visibleTo(user string) bool {
	return e.to == "" || e.user == user || e.to == user
}

// ring holds the newest messages of one channel, private ones too: every one
// from floor on. Pure; guarded by its channel's lock.
type ring struct {
	entries    []entry // ascending
	bytes      int
	floor      int64  // 0: the channel's beginning in this epoch
	older      string // the epoch before, when floor is 0 and it has messages
	maxEntries int
}

// add appends the newest message.
func (r *ring) add(e entry) {
	r.entries = append(r.entries, e)
	r.bytes += e.size()
	r.trim()
}

// prepend adds messages from before the floor, which becomes the given one.
func (r *ring) prepend(entries []entry, floor int64, older string) {
	for i := range entries {
		r.bytes += entries[i].size()
	}
	r.entries = slices.Concat(entries, r.entries)
	r.floor, r.older = floor, older
	r.trim()
}

func (r *ring) trim() {
	drop := 0
	for len(r.entries)-drop > r.maxEntries || (r.bytes > RingBytes && len(r.entries)-drop > 1) {
		r.bytes -= r.entries[drop].size()
		r.floor = r.entries[drop].seq + 1
		drop++
	}
	if drop > 0 {
		r.older = ""
		clear(r.entries[:drop])
		r.entries = r.entries[drop:]
	}
}

// full reports whether reading further back would not stay.
func (r *ring) full() bool {
	return r.floor == 0 || len(r.entries) >= r.maxEntries/2 || r.bytes >= RingBytes/2
}

// find looks among the newest messages for one of user with that id.
func (r *ring) find(user, id string, newest int) (entry, bool) {
	for i := len(r.entries) - 1; i >= max(0, len(r.entries)-newest); i-- {
		if e := &r.entries[i]; e.id == id && e.user == user {
			return *e, true
		}
	}
	return entry{}, false
}

// before returns the newest limit messages below seq. It is false when the
// ring does not reach back far enough to tell.
func (r *ring) before(s Span, seq int64, limit int) (Page, bool) {
	defer r.trim() // what was encoded may have grown
	found, more, ok := r.foundBefore(s, seq, limit)
	p := pageOf(found, more)
	if !more {
		p.Older = r.older
	}
	return p, ok
}

func (r *ring) foundBefore(s Span, seq int64, limit int) (found []shown, more, ok bool) {
	seq = min(seq, s.End)
	size := fitted{bytes: s.Bytes}
	for i := len(r.entries) - 1; i >= 0 && !more; i-- {
		if e := &r.entries[i]; e.seq < seq && e.visibleTo(s.User) {
			if more = len(found) == limit; !more {
				now := r.current(e, s.User)
				if more = !size.fits(now.size); !more {
					found = append(found, now)
				}
			}
		}
	}
	slices.Reverse(found)
	return found, more || r.floor > 0, more || r.floor == 0
}

// after returns the oldest limit messages above seq.
func (r *ring) after(s Span, seq int64, limit int) (Page, bool) {
	defer r.trim()
	found, more, ok := r.foundAfter(s, seq, limit)
	return pageOf(found, more), ok
}

func (r *ring) foundAfter(s Span, seq int64, limit int) (found []shown, more, ok bool) {
	if seq+1 < r.floor {
		return nil, false, false
	}
	i, _ := position(r.entries, seq+1)
	size := fitted{bytes: s.Bytes}
	for ; i < len(r.entries) && r.entries[i].seq < s.End && !more; i++ {
		if e := &r.entries[i]; e.visibleTo(s.User) {
			if more = len(found) == limit; !more {
				now := r.current(e, s.User)
				if more = !size.fits(now.size); !more {
					found = append(found, now)
				}
			}
		}
	}
	return found, more, true
}

// around returns half of limit before seq and half from it on; of these what is
// nearest to seq, if not all fit.
func (r *ring) around(s Span, seq int64, limit int) (Page, bool) {
	if seq < r.floor {
		return Page{}, false
	}
	defer r.trim()
	old, more, ok := r.foundBefore(s, seq, limit/2)
	if !ok {
		return Page{}, false
	}
	recent, newer, ok := r.foundAfter(s, seq-1, limit-limit/2)
	n, m := nearest(old, recent, seq, func(e shown) int64 { return e.seq }, func(e shown) int { return e.size }, s.Bytes)
	more, newer = more || n < len(old), newer || m < len(recent)
	p := pageOf(append(old[len(old)-n:], recent[:m]...), more)
	p.Newer = newer
	if !more {
		p.Older = r.older
	}
	return p, ok
}
