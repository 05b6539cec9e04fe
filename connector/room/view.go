package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// View is a channel at one position.
type View struct {
	Seq      int64 // the position
	Last     int64 // the newest public message; 0: none
	Members  []rpc.Member
	Count    int   // of all members, of whom Members may be the first
	Clast    int64 // the newest public change; 0: none
	Settings rpc.Settings
	Sanction *rpc.Sanction // of whom it is shown to; nil: none
}

// View shows the channel as it is now, with up to limit of its members, those
// that follow after; "" for the first.
func (c *Channel) View(after string, limit int) View {
	r := &c.replica
	return View{
		Seq: r.position, Last: r.last, Members: r.page(after, limit), Count: len(r.users), Clast: r.clast, Settings: r.shownSettings(),
	}
}

// Silent reports whether no public message of this epoch is known of.
func (c *Channel) Silent() bool { return c.replica.last == 0 }

// Position is the offset up to which everything was applied.
func (c *Channel) Position() int64 { return c.replica.position }

// KnownBelow returns the changes that are known below end, and the offset from which on
// they are all of them. They may be read without the lock, and never change.
func (c *Channel) KnownBelow(end int64) (known []changes.Record, from int64) {
	known = c.changes.from(0)
	n, _ := slices.BinarySearchFunc(known, end, func(r changes.Record, seq int64) int { return int(r.Seq - seq) })
	return known[:n:n], c.changes.floor
}

// Count is how many users are in the channel.
func (c *Channel) Count() int { return len(c.replica.users) }

// Voids returns the void chats and changes that are known, ascending, and the offset from
// which on they are all of them.
func (c *Channel) Voids() (voids []int64, from int64) {
	r := &c.replica
	return slices.Clone(r.voids), max(0, r.position-r.window)
}
