package room

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func sanctionOf(user string, action schema.Sanction_Action, until int64) *schema.Sanctioned {
	return &schema.Sanctioned{
		User: user, Action: action, Until: until, Reason: "noise",
		By: &schema.Author{By: &schema.Author_Key{Key: "trust"}},
	}
}

// A mute is known from the sanction, or from the join of its user, until it is lifted
// or has ended.
func TestMutes(t *testing.T) {
	at := time.UnixMilli
	for name, c := range map[string]struct {
		sent  []any // from seq 10 on
		until int64 // of the mute that is in force before that
		seq   int64 // 0: there is none
	}{
		"none":                    {nil, 0, 0},
		"for good":                {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0)}, 0, 10},
		"for a while":             {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 500)}, 500, 10},
		"of somebody else":        {[]any{sanctionOf("bob", schema.Sanction_ACTION_MUTE, 0)}, 0, 0},
		"of nobody there":         {[]any{sanctionOf("eve", schema.Sanction_ACTION_MUTE, 0), &schema.Joined{Session: "e", User: "eve", First: true}}, 0, 0},
		"another":                 {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0), sanctionOf("ada", schema.Sanction_ACTION_MUTE, 400)}, 400, 11},
		"lifted":                  {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0), sanctionOf("ada", schema.Sanction_ACTION_LIFT_MUTE, 0)}, 0, 0},
		"lifted with the ban":     {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0), sanctionOf("ada", schema.Sanction_ACTION_LIFT, 0)}, 0, 0},
		"the ban is lifted":       {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0), sanctionOf("ada", schema.Sanction_ACTION_LIFT_BAN, 0)}, 0, 10},
		"of a join":               {[]any{&schema.Joined{Session: "2", User: "ada", Mute: &schema.InForce{Seq: 3, Until: 600}}}, 600, 3},
		"a join by a wrong clock": {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 700), &schema.Joined{Session: "2", User: "ada"}}, 700, 10},
		"left and come back":      {[]any{sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0), &schema.Left{Session: "ada", User: "ada", Gone: true}, &schema.Joined{Session: "2", User: "ada", First: true}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			channel, _ := audience(t, "ada", "bob")
			for i, kind := range c.sent {
				send(t, channel, int64(10+i), kind)
			}
			got, muted := channel.MuteOf("ada", at(1))
			if muted != (c.seq > 0) || got.Seq != c.seq || got.Until != c.until || muted && (got.User != "ada" || got.Action != rpc.SanctionMute) {
				t.Errorf("%v, %+v", muted, got)
			}
			if c.until > 0 {
				if _, muted := channel.MuteOf("ada", at(c.until-1)); !muted {
					t.Error("it ends too early")
				}
				if _, muted := channel.MuteOf("ada", at(c.until)); muted {
					t.Error("it does not end")
				}
			}
		})
	}
}

// Slow mode counts from the setting that began it or changed it, also where a snapshot
// of later settings is all that came.
func TestSlowMode(t *testing.T) {
	c, _ := audience(t, "ada")
	want := func(what string, wait time.Duration, from int64) {
		t.Helper()
		if w, f := c.Slow(); w != wait || f != from {
			t.Errorf("%s: %v from %d", what, w, f)
		}
	}
	want("nothing set", 0, 0)
	send(t, c, 10, &schema.Settings{Seq: 10, Slow: 5, SlowSince: 10})
	want("set", 5*time.Second, 10)
	send(t, c, 11, &schema.Settings{Seq: 11, Slow: 5, SlowSince: 10, Topic: "x"})
	want("a topic", 5*time.Second, 10)
	send(t, c, 12, &schema.Settings{Seq: 12, Slow: 7, SlowSince: 12, Topic: "x"})
	want("slower", 7*time.Second, 12)
	say(t, c, 13, "ada", "", "hi")
	say(t, c, 14, "bob", "", "hi")
	for user, above := range map[string]int64{"ada": 13, "bob": 14, "eve": 0} {
		if seq, _ := c.NewestOf(user, above); seq != 0 {
			t.Errorf("above %d, %s has %d", above, user, seq)
		}
	}
	if seq, _ := c.NewestOf("ada", 12); seq != 13 {
		t.Errorf("the newest of ada is %d", seq)
	}
	send(t, c, 15, &schema.Settings{Seq: 15, SlowSince: 15})
	want("off", 0, 15)
	send(t, c, 16, &schema.Snapshot{First: true, Settings: &schema.Settings{Seq: 9, Slow: 3, SlowSince: 8, Frozen: true}})
	want("a snapshot", 3*time.Second, 8)
	if !c.Frozen() {
		t.Error("it is not frozen")
	}
}

// Sanctions are told to their user and to moderators, also to those whose result is
// being made.
func TestSanctionsAreTold(t *testing.T) {
	c, all := audience(t, "ada", "bob", "eve")
	late := map[string]*told{}
	for _, user := range []string{"ada", "bob", "mo"} {
		m := &Member{User: user, Outlet: new(told), Dialect: plain{}}
		m.Moderates.Store(user == "mo")
		late[user] = m.Outlet.(*told)
		c.Attach(m)
	}
	send(t, c, 10, sanctionOf("ada", schema.Sanction_ACTION_MUTE, 500))
	send(t, c, 11, sanctionOf("ada", schema.Sanction_ACTION_LIFT_MUTE, 0))
	send(t, c, 12, sanctionOf("ada", schema.Sanction_ACTION_LIFT_BAN, 0))
	send(t, c, 13, sanctionOf("ada", schema.Sanction_ACTION_LIFT, 0))
	send(t, c, 14, sanctionOf("ada", schema.Sanction_ACTION_KICK, 0))
	end := func(seq int) string { return fmt.Sprintf(`,"reason":"noise","by":{"key":"trust"},"time":%d000}`, seq) }
	want := []string{
		`{"channel":"a","seq":10,"user":"ada","action":"mute","until":500` + end(10),
		`{"channel":"a","seq":11,"user":"ada","action":"lift","lifted":"mute"` + end(11),
		`{"channel":"a","seq":12,"user":"ada","action":"lift","lifted":"ban"` + end(12),
		`{"channel":"a","seq":13,"user":"ada","action":"lift"` + end(13),
		`{"channel":"a","seq":14,"user":"ada","action":"kick"` + end(14),
	}
	wantPushes(t, "ada", all["ada"].take("sanctioned"), want...)
	for _, user := range []string{"bob", "eve"} {
		wantPushes(t, user, all[user].take("sanctioned"))
	}
	for _, m := range slices.Clone(c.fans[0].readers) {
		c.GoLive(m)
	}
	wantPushes(t, "ada, late", late["ada"].take("sanctioned"), want...)
	wantPushes(t, "bob, late", late["bob"].take("sanctioned"))
	wantPushes(t, "mo, late", late["mo"].take("sanctioned"), want...)
}

// A member who was detached while its result was being made gets what came before
// that; one who is expelled then keeps nothing in memory.
func TestDetachedBeforeTheResult(t *testing.T) {
	c, _ := audience(t, "bob")
	gets, expelled := &Member{User: "ada", Outlet: new(told), Dialect: plain{}}, &Member{User: "eve", Outlet: new(told), Dialect: plain{}}
	for _, m := range []*Member{gets, expelled} {
		c.Attach(m)
	}
	send(t, c, 10, sanctionOf("ada", schema.Sanction_ACTION_KICK, 0))
	c.Detach(gets)
	c.Detach(expelled)
	send(t, c, 11, sanctionOf("ada", schema.Sanction_ACTION_MUTE, 0))
	c.Expel(expelled)
	c.GoLive(gets)
	if got := gets.Outlet.(*told).take("sanctioned"); len(got) != 1 || !strings.Contains(got[0], `"seq":10`) {
		t.Errorf("it gets %q", got)
	}
	if got := expelled.Outlet.(*told).frames; len(got) > 0 {
		t.Errorf("the expelled one gets %q", got)
	}
	if f := c.fans[0]; len(f.readers)+len(f.backlog) > 0 || f.backlogBytes.Load() != 0 {
		t.Errorf("%d readers and %d frames stay", len(f.readers), len(f.backlog))
	}
}
