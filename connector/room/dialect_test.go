package room

import (
	"slices"
	"testing"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// terse is a dialect that has a word for messages alone.
type terse struct{}

func (terse) AppendChat(b []byte, m *rpc.Message, _ []byte, _ int64) []byte {
	return append(b, m.Body...)
}

func (terse) AppendPush(b []byte, _ string, _ any) []byte { return b }

// What a dialect has no word for reaches nobody: an outlet takes no empty frame.
func TestADialectMayHaveNoWord(t *testing.T) {
	c := New("a", Options{Entries: 10, Presence: 100})
	members := map[string]*told{}
	for _, user := range []string{"live", "late"} {
		out := new(told)
		m := &Member{User: user, Outlet: out, Dialect: terse{}}
		c.Attach(m)
		members[user] = out
		if user == "live" {
			c.GoLive(m)
		} else {
			defer func() { // what waited for its result
				c.GoLive(m)
				if len(out.frames) != 2 {
					t.Errorf("the late one is sent %q", out.frames)
				}
			}()
		}
	}
	if err := c.Apply(&schema.Push{Offset: 1}, &schema.Update{Channel: "a", Kind: &schema.Update_Joined{Joined: &schema.Joined{User: "ada", First: true}}}); err != nil {
		t.Fatal(err)
	}
	c.push(rpc.PushSettings, rpc.Settings{})
	f := c.fans[0]
	f.whisper(delivery{user: "live", to: "late"}, func(b []byte) []byte { return f.dialect.AppendPush(b, rpc.PushReacted, rpc.ReactedPush{}) })
	if delivered, dropped := c.Signals([]rpc.SignalPush{{User: "ada", Name: "typing"}}); delivered != 0 || dropped != 0 {
		t.Errorf("%d signals are delivered, %d dropped", delivered, dropped)
	}
	c.Flush()
	if got := members["live"].frames; len(got) != 0 {
		t.Fatalf("it is sent %q", got)
	}
	say(t, c, 2, "ada", "", "one")
	say(t, c, 3, "ada", "live", "two") // who says it is not the member's user
	say(t, c, 4, "live", "late", "three")
	c.Flush()
	if got := members["live"].frames; !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("it is sent %q", got)
	}
}

// Who wants none of the private messages that they send gets them from the user's
// other sessions, and those to themselves.
func TestWhoSendsPrivatelyNeedNotHearIt(t *testing.T) {
	c := New("a", Options{Entries: 10})
	var outs []*told
	for _, sends := range []string{"", "x", "y"} {
		out := new(told)
		m := &Member{User: "ada", Outlet: out, Dialect: terse{}, Sends: sends}
		c.Attach(m)
		c.GoLive(m)
		outs = append(outs, out)
	}
	say(t, c, 1, "ada", "bob", "psst") // its id is x
	say(t, c, 2, "ada", "ada", "note")
	say(t, c, 3, "ada", "", "aloud")
	c.Flush()
	for i, want := range [][]string{{"psst", "note", "aloud"}, {"note", "aloud"}, {"psst", "note", "aloud"}} {
		if !slices.Equal(outs[i].frames, want) {
			t.Errorf("session %d is sent %q; want %q", i, outs[i].frames, want)
		}
	}
}
