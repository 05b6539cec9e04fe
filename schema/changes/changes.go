// Package changes says what a message is after what was done to it: edits,
// deletions, purges and reactions. A State is a function of the set of changes,
// whatever their order and however often each is given, so that whoever has all
// of them up to a position sees the same: from memory, history or the pushes of
// a client.
package changes

import (
	"cmp"
	"slices"
)

// MaxNames is how many names of reactions a message shows.
const MaxNames = 20

// Message is what the rules need to know of a message as it was sent.
type Message struct {
	Seq  int64
	User string
}

// Change is one that is not void. Its zero act is nothing.
type Change struct {
	Seq, Time int64
	User      string // who did it, or as whom a key of the API did; "" for a key's purge
	Key       string // of the API that did it; "": none

	// One of these.
	Edit   *Edit
	Delete *Delete
	React  *React
	Purge  *Purge
}

// Edit is what a message says from then on.
type Edit struct {
	Body string
	Type *string // "" and "text" are one; nil: as before
	Data *string // JSON; "" and null take it away; nil: as before
}

// Delete takes the message away.
type Delete struct{ Reason string }

// React adds a reaction of the change's user, or takes it back.
type React struct {
	Name   string
	Remove bool
}

// Purge takes away all messages of a user in [Since, the change's own seq).
type Purge struct {
	User   string
	Since  int64
	Reason string
}

// hits reports whether a purge at seq takes a message away.
func (p *Purge) hits(m *Message, seq int64) bool {
	return p.User == m.User && m.Seq >= p.Since && m.Seq < seq
}

// State is what changes have made of one message. The zero value is a message as
// it was sent. Not safe for concurrent use.
type State struct {
	body, kind, data *at      // the newest edit that names it
	deleted          *Deleted // the one with the lowest seq
	reactions        map[reaction]decision
}

type at struct {
	seq, time int64
	text      string
}

type reaction struct{ user, name string }

type decision struct {
	seq    int64
	remove bool
}

// Add takes a change of the message m.
func (s *State) Add(m *Message, c *Change) {
	switch {
	case c.Edit != nil:
		s.body = newer(s.body, c, &c.Edit.Body)
		s.kind = newer(s.kind, c, c.Edit.Type)
		s.data = newer(s.data, c, c.Edit.Data)
	case c.Delete != nil:
		s.drop(c, c.Delete.Reason)
	case c.Purge != nil:
		if c.Purge.hits(m, c.Seq) {
			s.drop(c, c.Purge.Reason)
		}
	case c.React != nil:
		s.react(c)
	}
}

// newer is the one of two with the higher seq.
func newer(have *at, c *Change, text *string) *at {
	if text == nil || have != nil && have.seq >= c.Seq {
		return have
	}
	return &at{c.Seq, c.Time, *text}
}

// drop keeps the deletion with the lowest seq.
func (s *State) drop(c *Change, reason string) {
	if s.deleted == nil || c.Seq < s.deleted.Seq {
		s.deleted = &Deleted{Seq: c.Seq, Time: c.Time, User: c.User, Key: c.Key, Reason: reason}
	}
}

// react keeps, of each user and name, the change with the highest seq.
func (s *State) react(c *Change) {
	of := reaction{c.User, c.React.Name}
	if have, ok := s.reactions[of]; ok && have.seq >= c.Seq {
		return
	}
	if s.reactions == nil {
		s.reactions = map[reaction]decision{}
	}
	s.reactions[of] = decision{c.Seq, c.React.Remove}
}

// Deleted says who took a message away, and when.
type Deleted struct {
	Seq, Time int64
	User, Key string
	Reason    string
}

// Edited says when a message was last edited.
type Edited struct{ Seq, Time int64 }

// Count is how many users react with a name.
type Count struct {
	Name  string
	Count int
}

// Deleted is what took the message away; nil: nothing did.
func (s *State) Deleted() *Deleted { return s.deleted }

// Text is what the message says, given what it said as it was sent: nothing
// when it is deleted. edited is nil where nobody edited it.
func (s *State) Text(body, kind, data string) (newBody, newKind, newData string, edited *Edited) {
	if s.deleted != nil {
		return "", "", "", nil
	}
	if s.body != nil {
		body, edited = s.body.text, &Edited{s.body.seq, s.body.time}
	}
	if s.kind != nil {
		kind = s.kind.text
	}
	if s.data != nil {
		data = s.data.text
	}
	if kind == "text" {
		kind = ""
	}
	if data == "null" {
		data = ""
	}
	return body, kind, data, edited
}

// Reactions are the first MaxNames names, in the order of the oldest reaction of
// each that still counts. A deleted message has none.
func (s *State) Reactions() []Count {
	type tally struct {
		Count
		first int64
	}
	names := map[string]*tally{}
	for of, d := range s.reactions {
		if d.remove || s.deleted != nil {
			continue
		}
		t := names[of.name]
		if t == nil {
			t = &tally{Count{Name: of.name}, d.seq}
			names[of.name] = t
		}
		t.Count.Count++
		t.first = min(t.first, d.seq)
	}
	all := make([]*tally, 0, len(names))
	for _, t := range names {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *tally) int { return cmp.Compare(a.first, b.first) })
	counts := make([]Count, 0, min(len(all), MaxNames))
	for _, t := range all[:min(len(all), MaxNames)] {
		counts = append(counts, t.Count)
	}
	return counts
}

// Mine are the names that a user reacts with, the oldest first. A deleted
// message has none.
func (s *State) Mine(user string) []string {
	type own struct {
		name string
		seq  int64
	}
	var all []own
	for of, d := range s.reactions {
		if of.user == user && !d.remove && s.deleted == nil {
			all = append(all, own{of.name, d.seq})
		}
	}
	slices.SortFunc(all, func(a, b own) int { return cmp.Compare(a.seq, b.seq) })
	names := make([]string, len(all))
	for i, o := range all {
		names[i] = o.name
	}
	return names
}
