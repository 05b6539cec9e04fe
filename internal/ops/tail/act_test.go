package tail

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

var by = &schema.Author{By: &schema.Author_Key{Key: "bot"}}

// shownCases are events of format 2, and their lines when all is shown. What is in
// upper case is shown with --bodies, or with --private where it is private; "Eve"
// is whom a private message is to, and "Ann" who sent it.
var shownCases = map[string]struct {
	event   *schema.Event
	line    string // from the channel on
	private bool
}{
	"a join": {&schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: "c", User: "bob", Session: "s", Info: []byte(`"INFO"`)}}},
		`"user":"bob","session":"s","info":"INFO"`, false},
	"a chat": {&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: "c", User: "bob", Session: "s", Id: "1", Body: "BODY", Type: "poll", Data: []byte(`["DATA"]`), Info: []byte(`"INFO"`),
		Reply: 7, Mentions: []string{"MENTION"}, Origin: schema.Origin_ORIGIN_BACKEND, Key: "bot"}}},
		`"user":"bob","session":"s","id":"1","body":"BODY","bytes":4,"key":"bot","origin":"backend","type":"poll","data":["DATA"],"info":"INFO","reply":7,"mentions":["MENTION"]`, false},
	"a private chat": {&schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: "c", User: "Ann", Id: "1", Body: "BODY", Data: []byte(`["DATA"]`), To: "Eve", Mentions: []string{"Eve"}}}},
		`"user":"Ann","id":"1","private":true,"to":"Eve","body":"BODY","bytes":4,"data":["DATA"],"mentions":["Eve"]`, true},
	"an edit": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "mo", Session: "s", Id: "1", Trace: "t", Target: 7, Author: "bob", Moderator: true,
		Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "BODY", Type: proto.String("text"), Data: []byte(`"DATA"`)}}}}},
		`"user":"mo","session":"s","id":"1","trace":"t","body":"BODY","bytes":4,"action":"edit","target":7,"author":"bob","moderator":true,"type":"text","data":"DATA"`, false},
	"a deletion": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "bob", Id: "1", Target: 7, Author: "bob", Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: "REASON"}}}}},
		`"user":"bob","id":"1","reason":"REASON","action":"delete","target":7,"author":"bob"`, false},
	"a reaction": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "mo", Id: "1", Target: 7, Author: "bob", Act: &schema.Change_React{React: &schema.React{Name: "NAME", Remove: true}}}}},
		`"user":"mo","id":"1","action":"react","target":7,"author":"bob","name":"NAME","removed":true`, false},
	"a private reaction": {&schema.Event{Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "mo", Id: "1", Target: 7, Author: "Ann", To: "Eve", Act: &schema.Change_React{React: &schema.React{Name: "NAME"}}}}},
		`"user":"mo","id":"1","private":true,"to":"Eve","action":"react","target":7,"author":"Ann","name":"NAME"`, true},
	"a pin": {&schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{Channel: "c", By: by, Id: "1", Target: 7, Remove: true}}},
		`"id":"1","by":{"key":"bot"},"target":7,"removed":true`, false},
	"a sanction": {&schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: "c", User: "bob", By: by, Id: "1", Action: schema.Sanction_ACTION_BAN, Until: 1000, Reason: "REASON", PurgeSince: proto.Int64(0)}}},
		`"user":"bob","id":"1","reason":"REASON","action":"ban","by":{"key":"bot"},"until":"1970-01-01T00:00:01Z","since":0`, false},
	"a purge": {&schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{Channel: "c", User: "bob", By: by, Id: "1", Since: 3, Reason: "REASON"}}},
		`"user":"bob","id":"1","reason":"REASON","by":{"key":"bot"},"since":3`, false},
	"a set": {&schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{
		Channel: "c", By: by, Id: "1", Slow: proto.Int64(5), Frozen: proto.Bool(false), Topic: proto.String("TOPIC"), Data: []byte(`"DATA"`)}}},
		`"id":"1","by":{"key":"bot"},"data":"DATA","slow":5,"frozen":false,"topic":"TOPIC"`, false},
	"a watch":    {&schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{Channel: "c", Connector: "k"}}}, ``, false},
	"an unwatch": {&schema.Event{Kind: &schema.Event_Unwatch{Unwatch: &schema.Unwatch{Channel: "c", Connector: "k"}}}, ``, false},
}

// Every kind that came with format 2 is described, and what people wrote is shown
// to those alone who ask for it.
func TestWhatIsShown(t *testing.T) {
	for name, c := range shownCases {
		e := c.event
		e.Connector, e.Counter = "k", 9
		rec := &eventlog.Record{Offset: 4}
		line := func(s Shown) string {
			out, err := json.Marshal(eventOf(2, rec, e, s))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(out), `"channel":"c",`)
			return strings.TrimPrefix(strings.Replace(","+strings.TrimSuffix(rest, "}"), `,"connector":"k","counter":9`, ``, 1), ",")
		}
		if got := line(Shown{Bodies: true, Private: true}); got != c.line {
			t.Errorf("%s, when all is shown:\n %s, want\n %s", name, got, c.line)
		}
		if got := line(Shown{Bodies: !c.private, Private: c.private}); got != c.line {
			t.Errorf("%s, when as much is shown as it needs:\n %s", name, got)
		}
		for _, s := range []Shown{{}, {Bodies: c.private, Private: !c.private}} {
			got := line(s)
			for _, secret := range []string{"BODY", "DATA", "INFO", "MENTION", "NAME", "REASON", "TOPIC", "Eve"} {
				if strings.Contains(got, secret) {
					t.Errorf("%s, with %+v, shows %s: %s", name, s, secret, got)
				}
			}
			if private := e.GetChange().GetTo() != ""; private && strings.Contains(got, "Ann") {
				t.Errorf("%s, with %+v, shows who wrote to whom: %s", name, s, got)
			}
		}
		if kind := eventOf(2, rec, e, Shown{}).Kind; !slices.Contains(Kinds, kind) {
			t.Errorf("%s is of kind %q, which is not among %v", name, kind, Kinds)
		}
	}
}
