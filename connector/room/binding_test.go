package room

import (
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

// Slow mode counts from the setting that began it or changed it; one of something else
// does not begin it again.
func TestSlowMode(t *testing.T) {
	c, _ := audience(t, "ada")
	want := func(what string, wait time.Duration, from int64) {
		t.Helper()
		if w, f := c.Slow(); w != wait || f != from {
			t.Errorf("%s: %v from %d", what, w, f)
		}
	}
	want("nothing set", 0, 0)
	send(t, c, 10, &schema.Settings{Seq: 10, Slow: 5})
	want("set", 5*time.Second, 10)
	send(t, c, 11, &schema.Settings{Seq: 11, Slow: 5, Topic: "x"})
	want("a topic", 5*time.Second, 10)
	send(t, c, 12, &schema.Settings{Seq: 12, Slow: 7, Topic: "x"})
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
	send(t, c, 15, &schema.Settings{Seq: 15})
	want("off", 0, 15)
	send(t, c, 16, &schema.Snapshot{First: true, Settings: &schema.Settings{Seq: 9, Slow: 3, Frozen: true}})
	want("a snapshot", 3*time.Second, 9)
	if !c.Frozen() {
		t.Error("it is not frozen")
	}
}
