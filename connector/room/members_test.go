package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

var entryOfTen = rpc.Message{Seq: 10, User: "ada", Body: "hi"}

func present(c *Channel) string {
	var all []string
	for _, m := range c.View("", 10).Members {
		all = append(all, fmt.Sprintf("%s%s", m.User, m.Info))
	}
	return fmt.Sprint(all, c.View("", 10).Count)
}

// Members are shown with the info of their newest join, and who is banned is not
// shown.
func TestMembersAreShown(t *testing.T) {
	c := New("a", Options{Entries: 10, Presence: 1000})
	send(t, c, 5, &schema.Snapshot{
		First: true, Users: []string{"ada", "bad", "eve"}, Infos: [][]byte{[]byte(`{"n":1}`), []byte(`2`), nil}, Banned: []string{"bad"},
		Settings: &schema.Settings{Seq: 3, Topic: "tea", By: &schema.Author{By: &schema.Author_User{User: "mod"}}}, Clast: 4, Amounts: &schema.Amounts{Sanctions: 1},
	})
	send(t, c, 5, &schema.Joined{Session: "s", User: "eve", First: true, Subscribed: true, Clast: 4})
	m := &Member{User: "eve", Outlet: new(told), Dialect: plain{}}
	out := m.Outlet.(*told)
	c.Attach(m)
	c.GoLive(m)
	step := func(seq int64, kind any, want string, pushes ...string) {
		t.Helper()
		send(t, c, seq, kind)
		if got := present(c); got != want {
			t.Errorf("at %d: %s, want %s", seq, got, want)
		}
		frames := strings.Join(out.frames, "\n")
		if out.frames = nil; (len(pushes) == 0) != (frames == "") {
			t.Errorf("at %d: %q, want %q", seq, frames, pushes)
		}
		for _, p := range pushes {
			if !strings.Contains(frames, p) {
				t.Errorf("at %d: %q, want %q", seq, frames, p)
			}
		}
	}
	if got := present(c); got != `[ada{"n":1} eve] 2` {
		t.Error(got)
	}
	v := c.View("", 10)
	if v.Clast != 4 || v.Settings.Topic != "tea" || v.Settings.By.User != "mod" || v.Settings.Pins == nil || c.Amounts().Sanctions != 1 {
		t.Errorf("%+v", v)
	}
	step(6, &schema.Left{Session: "b", User: "bad", Gone: true}, `[ada{"n":1} eve] 2`)
	step(7, &schema.Joined{Session: "b2", User: "bad", First: true, Banned: &schema.InForce{Seq: 1}}, `[ada{"n":1} eve] 2`)
	step(8, &schema.Joined{Session: "b3", User: "bad"}, `[ada{"n":1} bad eve] 3`, `"joined"`)
	step(9, &schema.Joined{Session: "a2", User: "ada", Info: []byte(`3`)}, `[ada3 bad eve] 3`)
	step(10, &schema.Joined{Session: "a3", User: "ada"}, `[ada bad eve] 3`)
	step(11, &schema.Joined{Session: "z", User: "zoe", First: true, Info: []byte(`4`)}, `[ada bad eve zoe4] 4`, `"info":4`)
	step(12, &schema.Removed{User: "bad", Reason: schema.Reason_REASON_KICKED}, `[ada eve zoe4] 3`, `"left"`, `"kicked"`)
	step(13, &schema.Left{Session: "z", User: "zoe", Gone: true, Reason: schema.Reason_REASON_FORBIDDEN}, `[ada eve] 2`, `"forbidden"`)
	step(14, &schema.Joined{Session: "z", User: "zoe", First: true}, `[ada eve zoe] 3`, `"joined"`)
	step(15, &schema.Settings{Seq: 15, Time: 15, Pins: []int64{3, 1}, Amounts: &schema.Amounts{AllSettings: 2}}, `[ada eve zoe] 3`, `"settings"`, `"pins":[3,1]`)
	step(16, &schema.Settings{Seq: 16, Time: 16, Frozen: true}, `[ada eve zoe] 3`, `"frozen":true`, `"data":null`, `"pins":[]`)
	step(17, &schema.VoidChange{}, `[ada eve zoe] 3`)
	if voids, _ := c.Voids(); !slices.Equal(voids, []int64{17}) || c.Amounts() != nil {
		t.Errorf("voids %v, amounts %v", voids, c.Amounts())
	}
}

// A connector that knows no kind of update stops instead of going on differently.
func TestUnknownUpdatesAreNewer(t *testing.T) {
	if err := New("a", Options{}).Apply(&schema.Push{Offset: 1}, &schema.Update{Channel: "a"}); err == nil {
		t.Error("it was taken")
	}
}

// What a message has besides its body is in its push and in pages.
func TestMessagesWithStructure(t *testing.T) {
	c, all := audience(t, "eve")
	m := &schema.Message{
		User: "ada", Id: "m", Body: "hi", Info: []byte(`{"n":1}`), Type: "poll", Data: []byte(`[1]`), Reply: 3,
		Mentions: []string{"eve"}, Origin: schema.Origin_ORIGIN_BACKEND, Key: "bot",
	}
	if err := c.Apply(&schema.Push{Offset: 9, Time: 5}, &schema.Update{Channel: "a", Kind: &schema.Update_Message{Message: m}}); err != nil {
		t.Fatal(err)
	}
	c.Flush()
	want := `{"channel":"a","seq":9,"id":"m","user":"ada","info":{"n":1},"body":"hi","type":"poll","data":[1],"reply":3,"mentions":["eve"],"origin":"backend","key":"bot","time":5}`
	if got := strings.Join(all["eve"].frames, ""); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if p, _ := c.Before(Span{"eve", 10, 1 << 20}, 10, 10); string(p.Messages[0]) != want {
		t.Errorf("%s\nwant\n%s", p.Messages[0], want)
	}
}
