package hooks

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// shownCases are events of the log, and what is sent of each after join of "ann".
var shownCases = map[string]struct {
	event *schema.Event
	lines string // one an event, without seq, time and channel
}{
	"the first user": {&schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: "d", Session: "s2", User: "bob", Info: []byte(`{"a":1}`)}}},
		`"n":0,"kind":"occupied"
"n":1,"kind":"join","user":"bob","count":1,"info":{"a":1}`},
	"another user":    {join("c", "s2", "bob"), `"n":0,"kind":"join","user":"bob","count":2`},
	"another session": {join("c", "s2", "ann"), ``},
	"the last user": {leave("c", "s1", "ann"), `"n":0,"kind":"leave","user":"ann","count":0,"reason":"leave"
"n":1,"kind":"vacated"`},
	"a message": {&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: "c", User: "bob", Session: "s", Id: "1", Body: "<b>", Type: "poll", Data: []byte(`[1]`), Info: []byte(`"i"`),
		Reply: 7, Mentions: []string{"ann"}, Origin: schema.Origin_ORIGIN_BACKEND, Key: "bot"}}},
		`"n":0,"kind":"chat","user":"bob","id":"1","body":"\u003cb\u003e","type":"poll","data":[1],"info":"i","reply":7,"mentions":["ann"],"origin":"backend","key":"bot"`},
	"a private message": {&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "c", User: "bob", Session: "s", Id: "1", Body: "x", To: "ann"}}},
		`PRIVATE "n":0,"kind":"chat","user":"bob","id":"1","to":"ann","body":"x"`},
	"an edit": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "mo", Session: "s", Id: "1", Target: 7, Author: "bob", Moderator: true,
		Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "y", Type: proto.String("text"), Data: []byte{}}}}}},
		`"n":0,"kind":"change","user":"mo","id":"1","target":7,"author":"bob","moderator":true,"edit":{"body":"y","type":"text","data":null}`},
	"a private deletion": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "bob", Session: "s", Id: "1", Target: 7, Author: "bob", To: "ann", Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: "r"}}}}},
		`PRIVATE "n":0,"kind":"change","user":"bob","id":"1","to":"ann","target":7,"author":"bob","delete":{"reason":"r"}`},
	"a reaction": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "mo", Session: "s", Id: "1", Target: 7, Author: "bob", Act: &schema.Change_React{React: &schema.React{Name: "+1", Remove: true}}}}},
		`"n":0,"kind":"change","user":"mo","id":"1","target":7,"author":"bob","react":{"name":"+1","remove":true}`},
	"a pin": {&schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{Channel: "c", By: byBot, Id: "1", Target: 7, Remove: true}}},
		`"n":0,"kind":"pin","id":"1","by":{"key":"bot"},"target":7,"remove":true`},
	"a ban": {&schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: "c", User: "ann", By: byBot, Id: "1", Action: schema.Sanction_ACTION_BAN, Until: 1000, Reason: "r", PurgeSince: proto.Int64(0)}}},
		`"n":0,"kind":"sanction","user":"ann","id":"1","by":{"key":"bot"},"reason":"r","action":"ban","until":1000,"purge_since":0
"n":1,"kind":"leave","user":"ann","count":0,"reason":"banned"
"n":2,"kind":"vacated"`},
	"a purge": {&schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{Channel: "c", User: "bob", By: byBot, Id: "1"}}},
		`"n":0,"kind":"purge","user":"bob","id":"1","by":{"key":"bot"},"since":0`},
	"a setting": {&schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{
		Channel: "c", By: byBot, Id: "1", Slow: proto.Int64(0), Frozen: proto.Bool(false), Topic: proto.String(""), Data: []byte{}}}},
		`"n":0,"kind":"set","id":"1","by":{"key":"bot"},"data":null,"slow":0,"frozen":false,"topic":""`},
	"a watch": {&schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{Channel: "c", Connector: "k"}}}, ``},
	"a death": {&schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "k", Reason: schema.Reason_REASON_TIMEOUT}}},
		`"n":0,"kind":"leave","user":"ann","count":0,"reason":"timeout"
"n":1,"kind":"vacated"`},
}

var byBot = &schema.Author{By: &schema.Author_Key{Key: "bot"}}

// feed gives a translator a log of one format 2 marker and then the events, and returns
// what is sent of the last one.
func feed(t *testing.T, filter Filter, events ...*schema.Event) []item {
	t.Helper()
	tr := &translator{members: fold.NewMembers(fold.Log{Epoch: "e", Window: 100}), filter: filter}
	var items []item
	for i, e := range append([]*schema.Event{{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: 2, Window: 100}}}}, events...) {
		if e.GetMarker() == nil && e.GetDown() == nil {
			e.Connector, e.Counter = "k", uint64(i)
		}
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if items, err = tr.take(&eventlog.Record{Offset: int64(i), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

// Every kind is sent as the docs say, private ones only where they are asked for.
func TestWhatIsSent(t *testing.T) {
	for name, c := range shownCases {
		want, private := strings.CutPrefix(c.lines, "PRIVATE ")
		say := func(items []item) string {
			var lines []string
			for _, it := range items {
				line := strings.TrimSuffix(strings.TrimPrefix(string(it.json), `{"seq":2,`), "}")
				line = strings.Replace(line, `"time":0,`, "", 1)
				line = strings.Replace(strings.Replace(line, `,"channel":"c"`, "", 1), `,"channel":"d"`, "", 1)
				lines = append(lines, line)
			}
			return strings.Join(lines, "\n")
		}
		all, err := NewFilter(nil, nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := say(feed(t, all, join("c", "s1", "ann"), proto.CloneOf(c.event))); got != want {
			t.Errorf("%s is sent as\n %s, want\n %s", name, got, want)
		}
		if private {
			want = ""
		}
		if got := say(feed(t, Filter{}, join("c", "s1", "ann"), proto.CloneOf(c.event))); got != want {
			t.Errorf("%s, without private ones, is sent as\n %s, want\n %s", name, got, want)
		}
	}
}

// A filter leaves out, and changes no key of what is left.
func TestFilter(t *testing.T) {
	for name, c := range map[string]struct {
		kinds, channels []string
		want            string
	}{
		"all":               {nil, nil, "0 sanction,1 leave,2 vacated"},
		"a kind":            {[]string{"leave"}, nil, "1 leave"},
		"two kinds":         {[]string{"vacated", "sanction"}, nil, "0 sanction,2 vacated"},
		"a channel":         {nil, []string{"team-*"}, "0 sanction,1 leave,2 vacated"},
		"another one":       {nil, []string{"x", "game-*"}, ""},
		"a channel, a kind": {[]string{"leave"}, []string{"*-1"}, "1 leave"},
	} {
		f, err := NewFilter(c.kinds, c.channels, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, it := range feed(t, f, join("team-1", "s", "ann"), &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
			Channel: "team-1", User: "ann", By: byBot, Id: "1", Action: schema.Sanction_ACTION_KICK}}}) {
			_, rest, _ := strings.Cut(string(it.json), `"n":`)
			got = append(got, rest[:1]+" "+it.kind)
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

// What a filter or a beginning cannot be is refused.
func TestBadFilters(t *testing.T) {
	for name, try := range map[string]func() error{
		"a kind":     func() error { _, err := NewFilter([]string{"joins"}, nil, false); return err },
		"a pattern":  func() error { _, err := NewFilter(nil, []string{"a*b*c*d*e*"}, false); return err },
		"{user}":     func() error { _, err := NewFilter(nil, []string{"home-{user}"}, false); return err },
		"a time":     func() error { _, err := ParseFrom("yesterday"); return err },
		"1969":       func() error { _, err := ParseFrom("1969-01-01T00:00:00Z"); return err },
		"a name":     func() error { return CheckName("a/b") },
		"a long one": func() error { return CheckName(strings.Repeat("a", 65)) },
	} {
		t.Run(name, func(t *testing.T) {
			if try() == nil {
				t.Error("it is accepted")
			}
		})
	}
}

// A corrupt record is left out, and what comes after it is sent.
func TestCorruptRecords(t *testing.T) {
	tr := &translator{members: fold.NewMembers(fold.Log{Epoch: "e", Window: 100})}
	if _, err := tr.take(&eventlog.Record{Offset: 5, Value: []byte{0xff}}); !errors.Is(err, schema.ErrCorrupt) {
		t.Errorf("the error is %v", err)
	}
	if tr.members.Next() != 6 {
		t.Errorf("next is %d", tr.members.Next())
	}
}

// A beginning by time is that of the first record that is not older, whatever the
// times of those after it.
func TestBegun(t *testing.T) {
	s := start{time: 1000}
	for i, c := range []struct {
		time  int64
		begun bool
	}{{900, false}, {999, false}, {1000, true}, {990, true}, {2000, true}} {
		if got := s.begun(&eventlog.Record{Offset: int64(i), Time: time.UnixMilli(c.time)}); got != c.begun {
			t.Errorf("at %d: %v", c.time, got)
		}
	}
	if s != (start{next: 2}) {
		t.Errorf("it is pinned to %+v", s)
	}
}
