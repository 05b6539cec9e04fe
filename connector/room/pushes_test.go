package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema"
)

// told keeps what a member is sent.
type told struct{ frames []string }

func (o *told) Send(frames []byte)       { o.frames = append(o.frames, string(frames)) }
func (o *told) Offer(frames []byte) bool { o.Send(frames); return true }
func (o *told) Close(code int, _ string) { o.frames = append(o.frames, fmt.Sprint("closed ", code)) }

// take returns what came since the last time, of those pushes alone.
func (o *told) take(method string) (found []string) {
	for _, frames := range o.frames {
		for _, push := range strings.Split(frames, `{"jsonrpc":"2.0",`) {
			if rest, is := strings.CutPrefix(push, `"method":"`+method+`","params":`); is {
				found = append(found, strings.TrimSuffix(rest, "}"))
			}
		}
	}
	o.frames = nil
	return found
}

// audience is a channel with a member for each name.
func audience(t *testing.T, users ...string) (*Channel, map[string]*told) {
	t.Helper()
	c, all := New("a", Options{Entries: 100, Presence: 1000, Window: 1000}), map[string]*told{}
	for i, user := range users {
		send(t, c, int64(i+1), &schema.Joined{Session: user, User: user, First: true, Subscribed: i == 0})
		m := &Member{User: user, Outlet: new(told), Dialect: plain{}}
		all[user] = m.Outlet.(*told)
		c.Attach(m)
		c.GoLive(m)
	}
	return c, all
}

// send applies an update and flushes.
func send(t testing.TB, c *Channel, seq int64, kind any) {
	t.Helper()
	u := &schema.Update{Channel: "a"}
	switch k := kind.(type) {
	case *schema.Joined:
		u.Kind = &schema.Update_Joined{Joined: k}
	case *schema.Left:
		u.Kind = &schema.Update_Left{Left: k}
	case *schema.Changed:
		u.Kind = &schema.Update_Changed{Changed: k}
	case *schema.Reacted:
		u.Kind = &schema.Update_Reacted{Reacted: k}
	case *schema.Purged:
		u.Kind = &schema.Update_Purged{Purged: k}
	case *schema.VoidChange:
		u.Kind = &schema.Update_VoidChange{VoidChange: k}
	case *schema.Settings:
		u.Kind = &schema.Update_Settings{Settings: k}
	case *schema.Sanctioned:
		u.Kind = &schema.Update_Sanctioned{Sanctioned: k}
	case *schema.Removed:
		u.Kind = &schema.Update_Removed{Removed: k}
	case *schema.Snapshot:
		u.Kind = &schema.Update_Snapshot{Snapshot: k}
	}
	if err := c.Apply(&schema.Push{Offset: seq, Time: 1000 * seq}, u); err != nil {
		t.Fatal(err)
	}
	c.Flush()
}

func wantPushes(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// Edits, deletions and purges are pushed as they come, those of private messages to
// their two users alone.
func TestChangesArePushed(t *testing.T) {
	c, all := audience(t, "ada", "bob", "eve")
	say(t, c, 10, "ada", "", "hi")
	say(t, c, 11, "ada", "bob", "psst")
	none := ""
	send(t, c, 12, &schema.Changed{User: "ada", Id: "e", Target: 10, Author: "ada", Cprev: 7, Act: &schema.Changed_Edit{Edit: &schema.Edit{Body: "ho", Type: &none, Data: []byte{}}}})
	send(t, c, 13, &schema.Changed{User: "ada", Id: "d", Target: 11, Author: "ada", To: "bob", Cprev: 12, Act: &schema.Changed_Delete{Delete: &schema.Delete{Reason: "oops"}}})
	send(t, c, 14, &schema.Purged{User: "ada", Id: "p", Since: 3, Cprev: 12, By: &schema.Author{By: &schema.Author_Key{Key: "trust"}}})
	edit := `{"channel":"a","seq":12,"target":10,"user":"ada","time":12000,"id":"e","edit":{"body":"ho","type":"text","data":null},"cprev":7}`
	private := `{"channel":"a","seq":13,"target":11,"user":"ada","to":"bob","time":13000,"id":"d","delete":{"reason":"oops"},"cprev":12}`
	purge := `{"channel":"a","seq":14,"by":{"key":"trust"},"time":14000,"id":"p","purge":{"user":"ada","since":3},"cprev":12}`
	for _, user := range []string{"ada", "bob"} {
		wantPushes(t, user, all[user].take("changed"), edit, private, purge)
	}
	wantPushes(t, "eve", all["eve"].take("changed"), edit, purge)
	if v := c.View("", 10); v.Clast != 14 {
		t.Errorf("the newest public change is at %d", v.Clast)
	}
}

// A private change is not a link of the chain.
func TestPrivateChangesAreNoLinks(t *testing.T) {
	c, _ := audience(t, "ada", "bob")
	say(t, c, 10, "ada", "bob", "psst")
	send(t, c, 13, &schema.Changed{User: "ada", Id: "d", Target: 10, Author: "ada", To: "bob", Act: &schema.Changed_Delete{Delete: &schema.Delete{}}})
	if v := c.View("", 10); v.Clast != 0 {
		t.Errorf("the newest public change is at %d", v.Clast)
	}
}

func react(user, name string, target int64, to string, remove bool) *schema.Reacted {
	return &schema.Reacted{User: user, Id: "r", Target: target, Author: "ada", To: to, Name: name, Remove: remove}
}

// Reactions are told together, with the counts as they are by then; one alone says
// whose it is.
func TestReactionsAreToldTogether(t *testing.T) {
	c, all := audience(t, "ada", "bob", "eve")
	say(t, c, 10, "ada", "", "hi")
	say(t, c, 11, "ada", "bob", "psst")
	send(t, c, 12, react("bob", "+1", 10, "", false))
	send(t, c, 13, react("eve", "+1", 10, "", false))
	send(t, c, 14, react("eve", "x", 10, "", false))
	send(t, c, 15, react("eve", "x", 10, "", true))
	send(t, c, 16, react("bob", "y", 11, "bob", false))
	if got := all["bob"].take("reacted"); len(got) > 0 || !c.Reacting() {
		t.Errorf("at once: %q", got)
	}
	c.Reactions()
	together := `{"channel":"a","seq":16,"target":10,"counts":{"+1":2,"x":0}}`
	private := `{"channel":"a","seq":16,"target":11,"to":"bob","counts":{"y":1},"user":"bob","name":"y"}`
	wantPushes(t, "bob", all["bob"].take("reacted"), together, private)
	wantPushes(t, "eve", all["eve"].take("reacted"), together)
	if c.Reactions(); c.Reacting() || len(all["bob"].take("reacted")) > 0 {
		t.Error("told twice")
	}
	send(t, c, 17, react("bob", "+1", 10, "", true))
	c.Reactions()
	wantPushes(t, "one", all["eve"].take("reacted"), `{"channel":"a","seq":17,"target":10,"counts":{"+1":1},"user":"bob","name":"+1","remove":true}`)
}

// Nobody waits for the counts of a message that is not in memory: they are left out,
// and there the next time.
func TestReactionsToMessagesThatAreNotInMemory(t *testing.T) {
	c, all := audience(t, "ada", "bob")
	c.begin(1000)
	c.replica.position = 1000
	send(t, c, 1001, react("bob", "x", 10, "", false))
	if wanted := c.Wanted(); !slices.Equal(wanted, []int64{10}) || len(c.Wanted()) > 0 {
		t.Errorf("wanted: %v", wanted)
	}
	c.Reactions()
	wantPushes(t, "unknown", all["ada"].take("reacted"), `{"channel":"a","seq":1001,"target":10,"user":"bob","name":"x"}`)
	c.AddTarget(10, &entryOfTen, nil, 1000)
	send(t, c, 1002, react("ada", "x", 10, "", false))
	c.Reactions()
	wantPushes(t, "known", all["ada"].take("reacted"), `{"channel":"a","seq":1002,"target":10,"counts":{"x":2},"user":"ada","name":"x"}`)
	if wanted := c.Wanted(); len(wanted) > 0 {
		t.Errorf("wanted: %v", wanted)
	}
}

// Above 50 users nobody is told whose a reaction is, and in a crowd they are told once
// in four rounds.
func TestReactionsInLargeChannels(t *testing.T) {
	c, all := audience(t, "ada")
	say(t, c, 10, "ada", "", "hi")
	for i := range smallChannel {
		send(t, c, int64(100+i), &schema.Joined{Session: "s", User: fmt.Sprint("u", i), First: true})
	}
	send(t, c, 200, react("bob", "x", 10, "", false))
	c.Reactions()
	wantPushes(t, "large", all["ada"].take("reacted"), `{"channel":"a","seq":200,"target":10,"counts":{"x":1}}`)
	c.options.Presence = 10
	told := 0
	for i := range 4 * crowdRounds {
		send(t, c, int64(201+i), react(fmt.Sprint("u", i), "x", 10, "", false))
		c.Reactions()
		told += len(all["ada"].take("reacted"))
	}
	if told != 4 {
		t.Errorf("%d times in four times four rounds", told)
	}
}

// A reaction is told before anything is that is so far above it that a recovery from
// there would not look back for it.
func TestReactionsAreToldInTime(t *testing.T) {
	c, all := audience(t, "ada", "bob")
	say(t, c, 10, "ada", "", "hi")
	send(t, c, 20, react("bob", "x", 10, "", false))
	say(t, c, 20+LateOffsets-1, "ada", "", "near")
	c.Flush()
	if got := all["bob"].take("reacted"); len(got) > 0 {
		t.Errorf("before it has to be: %q", got)
	}
	say(t, c, 20+LateOffsets, "ada", "", "far")
	c.Flush()
	frames := strings.Join(all["bob"].frames, "")
	if i, j := strings.Index(frames, `"counts"`), strings.Index(frames, `"far"`); i < 0 || i > j {
		t.Errorf("%q", frames)
	}
}

// A deleted message has no reactions to tell of.
func TestReactionsToDeletedMessagesAreNotTold(t *testing.T) {
	c, all := audience(t, "ada")
	say(t, c, 10, "ada", "", "hi")
	send(t, c, 12, react("bob", "x", 10, "", false))
	send(t, c, 13, &schema.Changed{User: "ada", Target: 10, Author: "ada", Act: &schema.Changed_Delete{Delete: &schema.Delete{}}})
	send(t, c, 14, react("eve", "x", 10, "", false))
	if c.Reactions(); len(all["ada"].take("reacted")) > 0 {
		t.Error("told all the same")
	}
}
