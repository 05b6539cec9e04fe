package changes

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// seed makes it impossible to choose users whose hashes are equal.
var seed = maphash.MakeSeed()

// What reactions take besides the text of names, as measured.
const (
	pairBytes = 40
	nameBytes = 280
)

// decision is the seq of the change that decides whether a user reacts with a name;
// negative where it took the reaction back; 0: there is none.
type decision int64

func (d decision) seq() int64 { return max(int64(d), -int64(d)) }

// reactions are those of one message: of each user, by a hash, and name the change
// with the highest seq. Those taken back are kept, as they decide as well.
type reactions struct {
	names map[string]*name
	live  int // names with a count
	pairs int
	bytes int
}

// name is one name of reactions.
type name struct {
	text  string
	users map[uint64]decision
	count int
	first int64 // the oldest decision that counts; 0: look for it
}

// add keeps, of each user and name, the change with the highest seq.
func (r *reactions) add(user, text string, seq int64, remove bool) {
	n := r.name(text)
	hash := maphash.String(seed, user)
	had, known := n.users[hash]
	if had.seq() >= seq {
		return
	}
	if !known {
		r.pairs++
		r.bytes += pairBytes
	}
	before := n.count
	if had > 0 {
		n.count--
		if n.first == int64(had) {
			n.first = 0
		}
	}
	d := decision(seq)
	if remove {
		d = -d
	} else {
		n.count++
		if n.count == 1 || n.first > seq {
			n.first = seq
		}
	}
	n.users[hash] = d
	r.live += min(n.count, 1) - min(before, 1)
}

func (r *reactions) name(text string) *name {
	n := r.names[text]
	if n == nil {
		if r.names == nil {
			r.names = map[string]*name{}
		}
		n = &name{text: text, users: map[uint64]decision{}}
		r.names[text] = n
		r.bytes += nameBytes + len(text)
	}
	return n
}

func (r *reactions) decision(user, text string) decision {
	n := r.names[text]
	if n == nil {
		return 0
	}
	return n.users[maphash.String(seed, user)]
}

// shown are the names that somebody reacts with, in the order of their oldest
// decisions.
func (r *reactions) shown() []*name {
	all := make([]*name, 0, r.live)
	for _, n := range r.names {
		if n.count > 0 {
			n.look()
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b *name) int { return cmp.Compare(a.first, b.first) })
	return all
}

// look looks for the oldest decision that counts.
func (n *name) look() {
	if n.first != 0 {
		return
	}
	for _, d := range n.users {
		if d > 0 && (n.first == 0 || int64(d) < n.first) {
			n.first = int64(d)
		}
	}
}

// of are the names that a user reacts with, the oldest first.
func (r *reactions) of(user string) []string {
	type own struct {
		text string
		seq  decision
	}
	var all []own
	hash := maphash.String(seed, user)
	for text, n := range r.names {
		if d := n.users[hash]; d > 0 {
			all = append(all, own{text, d})
		}
	}
	slices.SortFunc(all, func(a, b own) int { return cmp.Compare(a.seq, b.seq) })
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.text
	}
	return names
}
