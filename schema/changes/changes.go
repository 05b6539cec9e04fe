// Package changes says what a message is after what was done to it: edits,
// deletions, purges and reactions. A State is a function of the set of changes,
// whatever their order and however often each is given, so that whoever has all
// of them up to a position sees the same: from memory, history or the pushes of
// a client.
package changes

import "slices"

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
	edits            []int64  // the seqs of all, ascending
	deleted          *Deleted // the one with the lowest seq
	reactions        reactions
	size             int
}

type at struct {
	seq, time int64
	text      string
}

// What the parts of a State take besides their text, as measured.
const (
	stateBytes = 160
	textBytes  = 48
	goneBytes  = 96
)

// Add takes a change of the message m.
func (s *State) Add(m *Message, c *Change) {
	switch {
	case c.Edit != nil:
		s.edit(c)
	case c.Delete != nil:
		s.drop(c, c.Delete.Reason)
	case c.Purge != nil:
		if c.Purge.hits(m, c.Seq) {
			s.drop(c, c.Purge.Reason)
		}
	case c.React != nil:
		s.reactions.add(c.User, c.React.Name, c.Seq, c.React.Remove)
	}
}

func (s *State) edit(c *Change) {
	s.newer(&s.body, c, &c.Edit.Body)
	s.newer(&s.kind, c, c.Edit.Type)
	s.newer(&s.data, c, c.Edit.Data)
	if i, found := slices.BinarySearch(s.edits, c.Seq); !found {
		s.edits = slices.Insert(s.edits, i, c.Seq)
	}
}

// newer keeps the one of two with the higher seq.
func (s *State) newer(have **at, c *Change, text *string) {
	if text == nil || *have != nil && (*have).seq >= c.Seq {
		return
	}
	if *have != nil {
		s.size -= textBytes + len((*have).text)
	}
	*have = &at{c.Seq, c.Time, *text}
	s.size += textBytes + len(*text)
}

// drop keeps the deletion with the lowest seq.
func (s *State) drop(c *Change, reason string) {
	if s.deleted == nil || c.Seq < s.deleted.Seq {
		s.deleted = &Deleted{Seq: c.Seq, Time: c.Time, User: c.User, Key: c.Key, Reason: reason}
	}
}

// Bytes is about what the state takes in memory.
func (s *State) Bytes() int {
	n := stateBytes + s.size + 8*cap(s.edits) + s.reactions.bytes
	if d := s.deleted; d != nil {
		n += goneBytes + len(d.User) + len(d.Key) + len(d.Reason)
	}
	return n
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

// Unchanged reports whether the message is as it was sent.
func (s *State) Unchanged() bool {
	return s.body == nil && s.deleted == nil && s.reactions.pairs == 0
}

// Edits is how many edits there are, also of a message that is deleted.
func (s *State) Edits() int { return len(s.edits) }

// Text is what the message says, given its text as it was sent: nothing
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
	if s.deleted != nil {
		return []Count{}
	}
	all := s.reactions.shown()
	all = all[:min(len(all), MaxNames)]
	counts := make([]Count, len(all))
	for i, n := range all {
		counts[i] = Count{n.text, n.count}
	}
	return counts
}

// Count is how many users react with a name. Of a deleted message it is 0.
func (s *State) Count(name string) int {
	n := s.reactions.names[name]
	if s.deleted != nil || n == nil {
		return 0
	}
	return n.count
}

// Has reports whether anybody reacts with a name.
func (s *State) Has(name string) bool { return s.Count(name) > 0 }

// Mine are the names that a user reacts with, the oldest first. A deleted
// message has none.
func (s *State) Mine(user string) []string {
	if s.deleted != nil {
		return []string{}
	}
	return s.reactions.of(user)
}

// Reaction is what decides whether a user reacts with a name: the change at seq; 0:
// there is none.
func (s *State) Reaction(user, name string) (seq int64, there bool) {
	d := s.reactions.decision(user, name)
	return d.seq(), d > 0
}

// Names is how many names users react with; Pairs is how many pairs of user and
// name there ever were, those taken back included.
func (s *State) Names() int { return s.reactions.live }

// Pairs: see Names.
func (s *State) Pairs() int { return s.reactions.pairs }
