package grants

import (
	"slices"
	"strings"
	"time"

	"github.com/parley-chat/parley/schema"
)

// maxTimed is how many channel tokens of a session count, twice what a session
// may join by default. Of more, those that run out next make room.
const maxTimed = 256

// Timed is what a channel token grants: actions in exactly one channel, until a
// time. Immutable.
type Timed struct {
	Channel string
	Allow   Actions
	Until   time.Time
	Token   string    // its id; "" where it has none
	Issued  time.Time // when it was issued
}

// Matcher knows what one user may do. The zero value and nil allow nothing.
// Immutable, so safe for concurrent use; asking it allocates nothing.
type Matcher struct {
	user  string
	exact map[string]Actions
	wild  []wild
	gaps  bool    // of some of these the middle is not empty
	timed []Timed // by channel, of which each is there once
	// common are what lists have for many users, which have nothing of these.
	common []*Matcher
}

// wild is a pattern with at least one *, for one user.
type wild struct {
	head, tail string // before the first and after the last *
	middle     string // between these, with gaps
	length     int    // of all of it but the gaps
	allow      Actions
}

// Compile makes a Matcher for a user of everything that is granted to them. Its
// work grows with the number of patterns.
func Compile(user string, lists ...List) *Matcher { return (&Matcher{user: user}).Replace(lists...) }

// Open makes the Matcher of everybody where users are not authenticated: * on *.
func Open() *Matcher { return &Matcher{wild: []wild{{allow: everyday}}} }

// Replace is m with the lists in place of those that it was compiled of. What
// channel tokens granted stays.
func (m *Matcher) Replace(lists ...List) *Matcher {
	next := &Matcher{user: m.user, exact: map[string]Actions{}, timed: m.timed}
	known := map[string]int{} // patterns with *, by their text: where they are in wild
	for _, l := range lists {
		if l.common != nil {
			next.common = append(next.common, l.common)
		}
		for _, g := range l.grants {
			for _, p := range g.patterns {
				next.add(p.runs(m.user), g.allow, known)
			}
		}
	}
	return next
}

// add adds a pattern, as its runs.
func (m *Matcher) add(runs []string, allow Actions, known map[string]int) {
	switch len(runs) {
	case 0:
		return
	case 1:
		m.exact[runs[0]] |= allow
		return
	}
	text := strings.Join(runs, gap)
	if i, twice := known[text]; twice {
		m.wild[i].allow |= allow
		return
	}
	last := len(runs) - 1
	w := wild{head: runs[0], tail: runs[last], allow: allow}
	for _, run := range runs {
		w.length += len(run)
	}
	between := slices.DeleteFunc(runs[1:last], func(run string) bool { return run == "" })
	w.middle = strings.Join(between, gap)
	m.gaps = m.gaps || w.middle != ""
	known[text] = len(m.wild)
	m.wild = append(m.wild, w)
}

// With is m with what a channel token grants, in place of what an earlier one of
// the same channel did. Those that have run out are dropped.
func (m *Matcher) With(t Timed, now time.Time) *Matcher {
	next := *m
	next.timed = slices.DeleteFunc(slices.Clone(m.timed), func(old Timed) bool {
		return old.Channel == t.Channel || !now.Before(old.Until)
	})
	if len(next.timed) >= maxTimed {
		first := 0
		for i, old := range next.timed {
			if old.Until.Before(next.timed[first].Until) {
				first = i
			}
		}
		next.timed = slices.Delete(next.timed, first, first+1)
	}
	at, _ := next.find(t.Channel)
	next.timed = slices.Insert(next.timed, at, t)
	return &next
}

// Without is m without what channel tokens grant for which gone is true; dropped
// says that there was any.
func (m *Matcher) Without(gone func(Timed) bool) (without *Matcher, dropped bool) {
	if !slices.ContainsFunc(m.timed, gone) {
		return m, false
	}
	next := *m
	next.timed = slices.DeleteFunc(slices.Clone(m.timed), gone)
	return &next, true
}

// Allows reports whether the user may do something in a channel.
func (m *Matcher) Allows(a Action, channel string, now time.Time) bool {
	_, ok := m.Check(a, channel, now)
	return ok
}

// Check is Allows, and says which action is missing when it is false: Join where
// nothing matches the channel, else the one that was asked for.
func (m *Matcher) Check(a Action, channel string, now time.Time) (missing Action, ok bool) {
	if m == nil {
		return Join, false
	}
	allow, matched := m.exact[channel]
	for _, c := range m.common {
		more, found := c.exact[channel]
		allow, matched = allow|more, matched || found
	}
	if at, found := m.find(channel); found && now.Before(m.timed[at].Until) {
		allow, matched = allow|m.timed[at].Allow, true
	}
	if allow.Has(a) {
		return 0, true
	}
	if m.checkWild(a, channel, &matched) {
		return 0, true
	}
	for _, c := range m.common {
		if c.checkWild(a, channel, &matched) {
			return 0, true
		}
	}
	if !matched {
		return Join, false
	}
	return a, false
}

// checkWild reports whether a pattern with * allows it; matched becomes true
// where one stands for the channel at all.
func (m *Matcher) checkWild(a Action, channel string, matched *bool) bool {
	if len(m.wild) == 0 || len(channel) > schema.MaxName {
		return false
	}
	var at places
	if m.gaps {
		at.fill(channel)
	}
	for i := range m.wild {
		w := &m.wild[i]
		allows := w.allow.Has(a)
		if (allows || !*matched) && w.matches(channel, &at) {
			if allows {
				return true
			}
			*matched = true
		}
	}
	return false
}

// find is where the channel token of a channel is, or belongs.
func (m *Matcher) find(channel string) (at int, found bool) {
	return slices.BinarySearchFunc(m.timed, channel, func(t Timed, channel string) int {
		return strings.Compare(t.Channel, channel)
	})
}
