package connector

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// slowChannel is a channel in which slow mode is 10 s from offset 100 on.
func slowChannel(t *testing.T) *channel {
	t.Helper()
	ch := &channel{Channel: room.New("lobby", room.Options{Window: 1000, Entries: 10})}
	applyTo(t, ch, 90, &schema.Update{Kind: &schema.Update_Joined{Joined: &schema.Joined{Subscribed: true}}})
	setSlow(t, ch, 100, 10)
	return ch
}

// setSlow has slow mode changed.
func setSlow(t *testing.T, ch *channel, seq, seconds int64) {
	t.Helper()
	applyTo(t, ch, seq, &schema.Update{Kind: &schema.Update_Settings{Settings: &schema.Settings{Seq: seq, Slow: seconds, SlowSince: seq}}})
}

// saysIn has a message of ada come, which slow mode did not see.
func saysIn(t *testing.T, ch *channel, seq, at int64) {
	t.Helper()
	u := &schema.Update{Kind: &schema.Update_Message{Message: &schema.Message{User: "ada", Id: "1", Body: "x"}}}
	ch.Lock()
	defer ch.Unlock()
	if err := ch.Apply(&schema.Push{Offset: seq, Time: at}, u); err != nil {
		t.Fatal(err)
	}
}

// Slow mode counts from the newest message after it was set, by whoever saw it, and
// not by a clock that is ahead.
func TestSlowModeCounts(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_790_000_000_000)
	ago := func(s int) int64 { return now.Add(-time.Duration(s) * time.Second).UnixMilli() }
	for name, c := range map[string]struct {
		do   func(ch *channel)
		want time.Duration
	}{
		"no message":                           {func(*channel) {}, 0},
		"a message":                            {func(ch *channel) { ch.spoke("ada", 101, ago(3), now) }, 7 * time.Second},
		"a message before it was set":          {func(ch *channel) { ch.spoke("ada", 99, ago(3), now) }, 0},
		"a message of somebody else":           {func(ch *channel) { ch.spoke("bob", 101, ago(3), now) }, 0},
		"a message a while ago":                {func(ch *channel) { ch.spoke("ada", 101, ago(10), now) }, 0},
		"two messages":                         {func(ch *channel) { ch.spoke("ada", 101, ago(3), now); ch.spoke("ada", 102, ago(1), now) }, 9 * time.Second},
		"two, the later one seen first":        {func(ch *channel) { ch.spoke("ada", 102, ago(1), now); ch.spoke("ada", 101, ago(3), now) }, 9 * time.Second},
		"one by a clock that is an hour ahead": {func(ch *channel) { ch.spoke("ada", 101, ago(-3600), now) }, 10 * time.Second},
		"a message, then it is set again": {func(ch *channel) {
			ch.spoke("ada", 101, ago(3), now)
			setSlow(t, ch, 102, 20)
		}, 0},
		"a message, then a pin": {func(ch *channel) {
			ch.spoke("ada", 101, ago(3), now)
			applyTo(t, ch, 102, &schema.Update{Kind: &schema.Update_Settings{Settings: &schema.Settings{Seq: 102, Slow: 10, SlowSince: 100, Pins: []int64{101}}}})
		}, 7 * time.Second},
		"a message, then it is off": {func(ch *channel) {
			ch.spoke("ada", 101, ago(3), now)
			setSlow(t, ch, 102, 0)
		}, 0},
		"one that is on its way": {func(ch *channel) { ch.speaks("ada", now.Add(-3*time.Second)) }, 7 * time.Second},
		"one that the log has, and that has not passed": {func(ch *channel) {
			ch.speaks("ada", now.Add(-3*time.Second)).answered(eventlog.Ack{Offset: 101})
		}, 7 * time.Second},
		"one that the log refused": {func(ch *channel) {
			ch.spoke("ada", 101, ago(6), now)
			ch.speaks("ada", now.Add(-3*time.Second)).answered(eventlog.Ack{Err: eventlog.ErrQueueFull})
		}, 4 * time.Second},
		"one that passed and is void": {func(ch *channel) {
			ch.spoke("ada", 101, ago(6), now)
			ch.speaks("ada", now.Add(-3*time.Second)).answered(eventlog.Ack{Offset: 102})
			applyTo(t, ch, 102, &schema.Update{Kind: &schema.Update_VoidChat{VoidChat: &schema.VoidChat{}}})
		}, 4 * time.Second},
		"one of a user whose former one has passed": {func(ch *channel) {
			first := ch.speaks("ada", now.Add(-9*time.Second))
			ch.speaks("ada", now.Add(-3*time.Second))
			first.answered(eventlog.Ack{Offset: 101})
			ch.spoke("ada", 101, ago(9), now)
		}, 7 * time.Second},
		"one that memory alone has": {func(ch *channel) { saysIn(t, ch, 101, ago(4)) }, 6 * time.Second},
		"one that memory alone has, from before it was set": {func(ch *channel) {
			saysIn(t, ch, 101, ago(4))
			setSlow(t, ch, 102, 20)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ch := slowChannel(t)
			c.do(ch)
			if got := max(0, ch.tooSoon("ada", now)); got != c.want {
				t.Errorf("the next one in %v, want %v", got, c.want)
			}
		})
	}
}

// What slow mode remembers is bounded: who may write again goes first.
//
//parley:bound who has spoken in slow mode
func TestSlowModeIsBounded(t *testing.T) {
	t.Parallel()
	ch, now := slowChannel(t), time.UnixMilli(1_790_000_000_000)
	for i := range maxSlow {
		ch.spoke(fmt.Sprint("user", i), 101, now.Add(-time.Duration(i%20)*time.Second).UnixMilli(), now)
	}
	ch.spoke("ada", 101, now.UnixMilli(), now)
	waiting := 1
	for i := range maxSlow {
		if i%20 < 10 {
			waiting++
		}
	}
	if n := len(ch.slow.spoken); n != waiting {
		t.Errorf("%d are remembered, want %d", n, waiting)
	}
	if ch.tooSoon("user9", now) != time.Second || ch.tooSoon("ada", now) != 10*time.Second {
		t.Error("one who has to wait is forgotten")
	}
	for i := range 2 * maxSlow {
		ch.spoke(fmt.Sprint("more", i), 101, now.UnixMilli(), now)
		if n := len(ch.slow.spoken); n > maxSlow {
			t.Fatalf("%d are remembered", n)
		}
	}
}

// Bounds are those of the channel and of its partition, and of what grows alone.
func TestBoundsOfAmounts(t *testing.T) {
	t.Parallel()
	sanction := func(a schema.Sanction_Action) *schema.Event {
		return &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{Action: a}}}
	}
	mute, ban := sanction(schema.Sanction_ACTION_MUTE), sanction(schema.Sanction_ACTION_BAN)
	set, pin := &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{}}}, &schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{}}}
	all := []*schema.Event{
		mute, ban, set, pin, sanction(schema.Sanction_ACTION_KICK), sanction(schema.Sanction_ACTION_LIFT), sanction(schema.Sanction_ACTION_LIFT_BAN),
		{Kind: &schema.Event_Purge{Purge: &schema.Purge{}}}, {Kind: &schema.Event_Chat{Chat: &schema.Chat{}}},
	}
	for name, c := range map[string]struct {
		has     *schema.Amounts
		isSet   bool
		limit   int
		refused []*schema.Event
	}{
		"nothing":                            {nil, false, 0, nil},
		"one less than all of the channel":   {&schema.Amounts{Sanctions: 9, AllSanctions: 9}, false, 0, nil},
		"all of the channel":                 {&schema.Amounts{Sanctions: 10, AllSanctions: 10}, false, 10, []*schema.Event{mute, ban}},
		"more than that":                     {&schema.Amounts{Sanctions: 12, AllSanctions: 12}, false, 10, []*schema.Event{mute, ban}},
		"one less than all of the partition": {&schema.Amounts{AllSanctions: schema.MaxSanctions - 1}, false, 0, nil},
		"all of the partition":               {&schema.Amounts{AllSanctions: schema.MaxSanctions}, false, schema.MaxSanctions, []*schema.Event{mute, ban}},
		"all settings":                       {&schema.Amounts{AllSettings: schema.MaxSettings}, false, schema.MaxSettings, []*schema.Event{set, pin}},
		"all settings, this channel's too":   {&schema.Amounts{AllSettings: schema.MaxSettings}, true, 0, nil},
		"one less than all settings":         {&schema.Amounts{AllSettings: schema.MaxSettings - 1}, false, 0, nil},
		"everything":                         {&schema.Amounts{Sanctions: 10, AllSanctions: schema.MaxSanctions, AllSettings: schema.MaxSettings}, true, 10, []*schema.Event{mute, ban}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range all {
				refused := false
				for _, r := range c.refused {
					refused = refused || r == e
				}
				switch bad := fullFor(e, c.has, c.isSet, 10); {
				case (bad != nil) != refused:
					t.Errorf("%T: %v", e.Kind, bad)
				case bad != nil && bad.Data.Limit != c.limit:
					t.Errorf("%T: the limit is %d, want %d", e.Kind, bad.Data.Limit, c.limit)
				}
			}
		})
	}
}
