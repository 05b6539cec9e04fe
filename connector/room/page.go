package room

import (
	"cmp"
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// Page is a part of a channel's messages.
type Page struct {
	Messages [][]byte // as JSON objects, oldest first
	More     bool     // there are older ones
	Newer    bool     // there are newer ones
	Older    string   // the epoch before, when there are no older ones in this one; "": no such

	// Asof is what the messages are folded up to. Mine is what the asking user
	// reacts with to them.
	Asof int64
	Mine []rpc.Mine
	// Seq, of a page after a position: up to there it has all messages and, in Changes
	// and Reacted, all changes of older ones.
	Seq     int64
	Changes []rpc.Change
	Reacted []rpc.Reacted
	// Next is where to go on, of a page of few among many.
	Next int64
}

// Span says which messages: those below End, as User sees them, as many as fit
// into Bytes once encoded, and one at least.
type Span struct {
	User  string
	End   int64
	Bytes int
}

// fitted counts encoded messages into a page's bytes.
type fitted struct{ bytes, used int }

// fits reports whether one more message of a size fits; the first one always does.
func (f *fitted) fits(size int) bool {
	n := size + 1 // and a comma
	if f.used > 0 && f.used+n > f.bytes {
		return false
	}
	f.used += n
	return true
}

// nearest returns how many of old, from its end, and of recent, from its
// beginning, are nearest to seq and fit into bytes together.
func nearest[T any](old, recent []T, seq int64, seqOf func(T) int64, size func(T) int, bytes int) (n, m int) {
	used := fitted{bytes: bytes}
	for n < len(old) || m < len(recent) {
		back := m == len(recent) || n < len(old) && seq-seqOf(old[len(old)-1-n]) < seqOf(recent[m])-seq
		switch {
		case back && used.fits(size(old[len(old)-1-n])):
			n++
		case !back && used.fits(size(recent[m])):
			m++
		default:
			return n, m
		}
	}
	return n, m
}

func pageOf(found []shown, more bool) Page {
	p := Page{Messages: make([][]byte, len(found)), More: more}
	for i := range found {
		e := &found[i]
		if p.Messages[i] = e.json; len(e.mine.Names) > 0 {
			p.Mine = append(p.Mine, e.mine)
		}
	}
	return p
}

// Fit encodes messages, which are in order: as many as fit into bytes, with what is
// in mine of them, those that are nearest to the seq at, and one at least. They are messages[from:to].
func Fit(messages []rpc.Message, mine []rpc.Mine, at int64, bytes int) (encoded [][]byte, from, to int) {
	split, _ := slices.BinarySearchFunc(messages, at, func(m rpc.Message, seq int64) int { return cmp.Compare(m.Seq, seq) })
	all := make([][]byte, len(messages))
	beside := map[int64]int{}
	for i := range mine {
		beside[mine[i].Seq] = 1 + len(rpc.AppendJSON(nil, &mine[i]))
	}
	size := func(i int) int {
		if all[i] == nil {
			all[i] = rpc.AppendMessage(nil, &messages[i])
		}
		return len(all[i]) + beside[messages[i].Seq]
	}
	index := make([]int, len(messages))
	for i := range index {
		index[i] = i
	}
	n, m := nearest(index[:split], index[split:], at, func(i int) int64 { return messages[i].Seq }, size, bytes)
	from, to = split-n, split+m
	return all[from:to], from, to
}
