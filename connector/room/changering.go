package room

import (
	"slices"

	"github.com/parley-chat/parley/schema/changes"
)

// What a channel keeps of its newest changes.
const (
	ChangeBytes   = 1 << 20
	ChangeEntries = 4096
)

// recordBytes is what a change takes besides its text.
const recordBytes = 224

// changeRing holds the newest changes of one channel that are not void, every one
// from floor on. What it holds never changes, so that parts of it may be read while
// it goes on. Guarded by its channel's lock.
type changeRing struct {
	records []changes.Record // ascending
	bytes   int
	floor   int64
}

// add appends the newest change. Where there is no room, the oldest quarter goes: the
// rest is copied, as others may read it where it is.
func (r *changeRing) add(c changes.Record) {
	size := sizeOf(&c)
	if len(r.records) == ChangeEntries || r.bytes+size > ChangeBytes {
		r.drop(ChangeEntries*3/4, max(0, min(ChangeBytes*3/4, ChangeBytes-size)))
	}
	r.records = append(r.records, c)
	r.bytes += size
}

// drop lets go of the oldest, until no more than that is left.
func (r *changeRing) drop(entries, bytes int) {
	n := 0
	for ; n < len(r.records) && (len(r.records)-n > entries || r.bytes > bytes); n++ {
		r.bytes -= sizeOf(&r.records[n])
		r.floor = r.records[n].Seq + 1
	}
	r.records = slices.Clone(r.records[n:])
}

// full reports whether reading further back would not stay, or is not needed: it is as
// far back as need.
func (r *changeRing) full(need int64) bool {
	return r.floor <= need || len(r.records) >= ChangeEntries/2 || r.bytes >= ChangeBytes/2
}

// sizeOf is about what a change takes.
func sizeOf(c *changes.Record) int {
	n := recordBytes + len(c.ID) + len(c.User) + len(c.Key) + len(c.Author) + len(c.To)
	switch {
	case c.Edit != nil:
		n += len(c.Edit.Body)
		if c.Edit.Type != nil {
			n += len(*c.Edit.Type)
		}
		if c.Edit.Data != nil {
			n += len(*c.Edit.Data)
		}
	case c.Delete != nil:
		n += len(c.Delete.Reason)
	case c.React != nil:
		n += len(c.React.Name)
	case c.Purge != nil:
		n += len(c.Purge.User) + len(c.Purge.Reason)
	}
	return n
}

// from are the changes at seq and above.
func (r *changeRing) from(seq int64) []changes.Record {
	i, _ := slices.BinarySearchFunc(r.records, seq, func(c changes.Record, seq int64) int { return int(c.Seq - seq) })
	return r.records[i:len(r.records):len(r.records)]
}
