package grants

import (
	"math/bits"
	"strings"

	"github.com/parley-chat/parley/schema"
)

// positions is a set of positions in a name, a bit each.
type positions struct{ low, high uint64 }

const _ = uint(128 - schema.MaxName) // there are bits for the longest name

// from is all positions from n on.
func from(n int) positions {
	if n < 64 {
		return positions{^uint64(0) << n, ^uint64(0)}
	}
	return positions{0, ^uint64(0) << (n - 64)}
}

// places is where each byte is in a name. With it a pattern is tried in one step
// for each of its own bytes, however often these are in the name.
type places struct {
	of [256]positions
}

func (p *places) fill(name string) {
	p.of[gap[0]] = positions{^uint64(0), ^uint64(0)}
	for i, bit := 0, uint64(1); i < len(name); i, bit = i+1, bits.RotateLeft64(bit, 1) {
		if at := &p.of[name[i]]; i < 64 {
			at.low |= bit
		} else {
			at.high |= bit
		}
	}
}

// gap is a * between two runs of text, as a byte that is in no name.
const gap = "\xff"

// hold reports whether the middle of a pattern is in the name between its head
// and its tail.
func (p *places) hold(w *wild, name string) bool {
	text, s := w.middle, from(len(w.head))
	at := &p.of[text[0]]
	low, high := s.low&at.low, s.high&at.high // where what is found so far may end
	for i := 1; i < len(text); i++ {
		if low|high == 0 {
			return false
		}
		if text[i] == gap[0] { // from the first end on
			if low != 0 {
				high = ^uint64(0)
			}
			low, high = low|-low, high|-high
			continue
		}
		at = &p.of[text[i]]
		low, high = low<<1&at.low, (high<<1|low>>63)&at.high
	}
	s = from(len(name) - len(w.tail))
	return low&^s.low|high&^s.high != 0
}

// mayHold is hold, but decided by the last two bytes alone: few patterns that a
// name does not match need more.
func (p *places) mayHold(w *wild) bool {
	last, s := p.of[w.middle[len(w.middle)-1]], from(w.length-len(w.tail)-1)
	last.low, last.high = last.low&s.low, last.high&s.high
	if len(w.middle) > 1 {
		at := &p.of[w.middle[len(w.middle)-2]]
		last.low, last.high = last.low&(at.low<<1), last.high&(at.high<<1|at.low>>63)
	}
	return last.low|last.high != 0
}

// matches compares the whole name, byte for byte.
func (w *wild) matches(name string, at *places) bool {
	if len(name) < w.length || !strings.HasPrefix(name, w.head) || !strings.HasSuffix(name, w.tail) {
		return false
	}
	return w.middle == "" || at.mayHold(w) && at.hold(w, name)
}
