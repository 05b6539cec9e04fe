package hooks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-chat/parley/connector/grants"
)

// Kinds of events, all that there are.
const (
	kindJoin     = "join"
	kindLeave    = "leave"
	kindOccupied = "occupied"
	kindVacated  = "vacated"
	kindChat     = "chat"
	kindChange   = "change"
	kindPin      = "pin"
	kindSanction = "sanction"
	kindPurge    = "purge"
	kindSet      = "set"
)

// Kinds are the names of the kinds of events.
var Kinds = []string{kindJoin, kindLeave, kindOccupied, kindVacated, kindChat, kindChange, kindPin, kindSanction, kindPurge, kindSet}

// Filter is which events are sent. The zero value sends all but private ones.
// Immutable.
type Filter struct {
	kinds    []string // nil: all
	channels *grants.Matcher
	private  bool
}

// NewFilter makes a filter of names of kinds and of patterns of channels; none of
// either means all. Its errors quote nothing.
func NewFilter(kinds, channels []string, private bool) (Filter, error) {
	f := Filter{private: private}
	for _, kind := range kinds {
		if !slices.Contains(Kinds, kind) {
			return Filter{}, fmt.Errorf("an unknown kind of event: there are %s", strings.Join(Kinds, ", "))
		}
	}
	f.kinds = slices.Clone(kinds)
	if len(channels) == 0 {
		return f, nil
	}
	var list []grants.Grant
	for part := range slices.Chunk(channels, grants.MaxPatterns) {
		g, err := grants.New(part, []string{grants.Join.String()})
		if err != nil {
			return Filter{}, fmt.Errorf("a pattern of channels: %w", err)
		}
		list = append(list, g)
	}
	if slices.ContainsFunc(channels, func(p string) bool { return strings.Contains(strings.ReplaceAll(p, `\{`, ""), "{user}") }) {
		return Filter{}, errors.New("a pattern of channels has {user}, and events are sent for no user: write * in its place")
	}
	all, err := grants.NewList(list...)
	if err != nil {
		return Filter{}, fmt.Errorf("the patterns of channels: %w", err)
	}
	f.channels = grants.Compile("", all)
	return f, nil
}

func (f Filter) String() string {
	if len(f.kinds) == 0 {
		return "all"
	}
	return strings.Join(f.kinds, ",")
}

// takes reports whether an event is sent.
func (f Filter) takes(kind, channel string, private bool) bool {
	return (f.private || !private) && (len(f.kinds) == 0 || slices.Contains(f.kinds, kind)) &&
		(f.channels == nil || f.channels.Allows(grants.Join, channel, time.Time{}))
}

// From is where in the log a new name begins. The zero value is its end.
type From struct {
	beginning bool
	time      time.Time
}

// ParseFrom reads beginning, end, or a time as in RFC 3339.
func ParseFrom(text string) (From, error) {
	switch text {
	case "beginning":
		return From{beginning: true}, nil
	case "end":
		return From{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.UnixMilli() <= 0 {
		return From{}, errors.New("it takes beginning, end, or a time such as 2026-11-28T18:00:00Z")
	}
	return From{time: at}, nil
}
