// Package grants decides who may do what in which channel. It has no clock and
// does no I/O: grants are parsed from JSON or made of patterns and names, those
// of a user are compiled into a Matcher, and a Matcher is asked at every
// request.
package grants

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/schema/strict"
)

// How much a list of grants may hold.
const (
	MaxGrants   = 64 // in a list
	MaxPatterns = 16 // in a grant
)

var (
	errGrants   = errors.New("has more than 64 grants: put channels that allow the same into one grant")
	errPatterns = errors.New("has more than 16 patterns: use *, or several grants")
)

// Grant allows actions in all channels that its patterns stand for. The zero
// value allows nothing. Immutable.
type Grant struct {
	patterns []Pattern
	allow    Actions
}

// List is a list of grants. Grants only add, and their order means nothing. The
// zero value is an empty list. Immutable.
type List struct {
	grants []Grant
	common *Matcher // of patterns that mean the same for every user; nil: none
}

// New makes a grant of the patterns of channels and the names of actions, of
// which unknown ones are ignored. Its error is a *strict.Error, which names the
// pattern that is wrong.
func New(channels, allow []string) (Grant, error) { return newGrant(channels, allow, actionOf) }

func newGrant(channels, allow []string, of func(name string) Actions) (Grant, error) {
	if len(channels) > MaxPatterns {
		return Grant{}, &strict.Error{Pointer: "/channels", Err: errPatterns}
	}
	g := Grant{patterns: make([]Pattern, len(channels))}
	for i, text := range channels {
		var err error
		if g.patterns[i], err = ParsePattern(text); err != nil {
			return Grant{}, &strict.Error{Pointer: fmt.Sprintf("/channels/%d", i), Err: err}
		}
	}
	g.allow, _ = actionsOf(allow, of)
	return g, nil
}

// NewList makes a list of grants. Its error is a *strict.Error.
func NewList(grants ...Grant) (List, error) {
	if len(grants) > MaxGrants {
		return List{}, &strict.Error{Err: errGrants}
	}
	return List{grants: slices.Clone(grants)}, nil
}

// Shared is l, for many users: what means the same for all of them is compiled
// here, once, and costs a user's Matcher nothing.
func (l List) Shared() List {
	var common []Grant
	var own List
	for _, g := range l.grants {
		var same, personal []Pattern
		for _, p := range g.patterns {
			if p.personal() {
				personal = append(personal, p)
			} else {
				same = append(same, p)
			}
		}
		common = append(common, Grant{same, g.allow})
		if len(personal) > 0 {
			own.grants = append(own.grants, Grant{personal, g.allow})
		}
	}
	own.common = Compile("", List{grants: common})
	return own
}
