package schema

import (
	"errors"
	"strings"
	"testing"
)

func markerOf(format int32) *Event {
	return &Event{Kind: &Event_Marker{Marker: &Marker{Epoch: "e", Format: format, Window: 1}}}
}

func raise(format int32) *Event {
	return &Event{Kind: &Event_Format{Format: &Format{Number: format}}}
}

func edit(counter uint64) *Event {
	return &Event{Connector: "a", Counter: counter, Kind: &Event_Change{Change: &Change{
		Channel: "c", User: "u", Id: "i", Target: 1, Author: "u", Act: &Change_Edit{Edit: &Edit{Body: "b"}},
	}}}
}

// An event that came with a format is refused until that is in force.
func TestFormatGuard(t *testing.T) {
	type step struct {
		offset int64
		event  *Event
		ok     bool
	}
	for name, c := range map[string]struct {
		from  int32
		steps []step
	}{
		"a log that begins with format 2": {0, []step{{0, markerOf(2), true}, {1, edit(1), true}}},
		"a log that is raised": {0, []step{
			{0, markerOf(1), true}, {1, chat("a", 1, "c", "u", "x"), true}, {2, raise(2), true}, {3, edit(2), true},
		}},
		"before it is raised":                 {0, []step{{0, markerOf(1), true}, {1, edit(1), false}, {2, raise(2), true}}},
		"raised to the format that it is of":  {0, []step{{0, markerOf(1), true}, {1, raise(1), true}, {2, edit(1), false}}},
		"raised twice":                        {0, []step{{0, markerOf(1), true}, {1, raise(2), true}, {2, raise(2), true}, {3, edit(1), true}}},
		"never lowered":                       {0, []step{{0, markerOf(2), true}, {1, raise(1), true}, {2, edit(1), true}}},
		"a marker above offset 0":             {0, []step{{0, markerOf(1), true}, {1, markerOf(2), true}, {2, edit(1), false}}},
		"begun where format 2 is in force":    {2, []step{{7, edit(1), true}, {8, chat("a", 2, "c", "u", "x"), true}}},
		"begun a window before it was raised": {2, []step{{7, chat("a", 1, "c", "u", "x"), true}, {8, raise(2), true}, {9, edit(2), true}}},
		"begun where format 1 is in force":    {1, []step{{7, edit(1), false}}},
		"begun where nothing is known":        {0, []step{{7, chat("a", 1, "c", "u", "x"), true}, {8, edit(1), false}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := FormatGuard{InForce: c.from}
			for _, s := range c.steps {
				err := g.Judge(s.offset, s.event)
				if (err == nil) != s.ok {
					t.Errorf("offset %d: %v, want accepted %v", s.offset, err, s.ok)
				}
				var newer *NewerError
				if err != nil && !errors.As(err, &newer) {
					t.Errorf("offset %d: %v, want a NewerError", s.offset, err)
				}
			}
		})
	}
}

// Whoever reads the error at night learns that a newer parley does not help.
func TestFormatGuardSaysWhatToDo(t *testing.T) {
	g := FormatGuard{InForce: 1}
	err := g.Judge(5, edit(1))
	if err == nil || !strings.Contains(err.Error(), "format 2 where format 1 is in force") || strings.Contains(err.Error(), "newer parley") {
		t.Errorf("%v", err)
	}
}

// Whatever came with format 2 needs it, and nothing else does.
func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		event *Event
		needs int32
	}{
		"a chat":            {chat("a", 1, "c", "u", "x"), 1},
		"a private chat":    {&Event{Kind: &Event_Chat{Chat: &Chat{To: "v", Trace: "t"}}}, 1},
		"a join":            {join("a", 1), 1},
		"a leave":           {&Event{Kind: &Event_Leave{Leave: &Leave{Reason: Reason_REASON_TIMEOUT}}}, 1},
		"a down":            {down("a"), 1},
		"a marker":          {markerOf(2), 1},
		"a format":          {raise(2), 1},
		"info of a chat":    {&Event{Kind: &Event_Chat{Chat: &Chat{Info: []byte("1")}}}, 2},
		"a type":            {&Event{Kind: &Event_Chat{Chat: &Chat{Type: "t"}}}, 2},
		"data":              {&Event{Kind: &Event_Chat{Chat: &Chat{Data: []byte("1")}}}, 2},
		"an answer":         {&Event{Kind: &Event_Chat{Chat: &Chat{Reply: 1}}}, 2},
		"mentions":          {&Event{Kind: &Event_Chat{Chat: &Chat{Mentions: []string{"u"}}}}, 2},
		"a backend's chat":  {&Event{Kind: &Event_Chat{Chat: &Chat{Origin: Origin_ORIGIN_BACKEND}}}, 2},
		"a key's chat":      {&Event{Kind: &Event_Chat{Chat: &Chat{Key: "k"}}}, 2},
		"info of a join":    {&Event{Kind: &Event_Join{Join: &Join{Info: []byte("1")}}}, 2},
		"a leave by a kick": {&Event{Kind: &Event_Leave{Leave: &Leave{Reason: Reason_REASON_KICKED}}}, 2},
		"a change":          {edit(1), 2},
		"a pin":             {&Event{Kind: &Event_Pin{}}, 2},
		"a sanction":        {&Event{Kind: &Event_Sanction{}}, 2},
		"a purge":           {&Event{Kind: &Event_Purge{}}, 2},
		"a set":             {&Event{Kind: &Event_Set{}}, 2},
		"a watch":           {&Event{Kind: &Event_Watch{}}, 2},
		"an unwatch":        {&Event{Kind: &Event_Unwatch{}}, 2},
	} {
		if n := c.event.Needs(); n != c.needs {
			t.Errorf("%s needs format %d, want %d", name, n, c.needs)
		}
	}
}
