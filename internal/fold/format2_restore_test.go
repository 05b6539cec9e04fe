package fold

import (
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Everything of format 2 is there again after a restart, the format too.
func TestRestoreFormat2(t *testing.T) {
	events := []*schema.Event{
		markerOf(1),
		format(2),
		joinInfo("a", 1, "c/d", "s1", "ann", `{"name":"Ann"}`),
		watchOf("b", 1, "c/d"),
		chat("a", 2, "c/d", "ann", "1", ""),
		changeOf("edit", "a", 3, "c/d", "ann", "2", 4, ""),
		sanctionOf(mute, "a", 4, "c/d", "bob/x", "3", 9),
		sanctionOf(ban, "a", 5, "c/d", "bob/x", "4", 0),
		setOf("a", 6, "c/d", "5", topic("x")),
		pinOf("a", 7, "c/d", "6", 4, false),
		changeOf("edit", "a", 8, "c/d", "mod", "6", 4, ""), // void: its id is the pin's
	}
	state := checkpoint(t, events...)
	f, err := Restore(testLog, collected(state))
	if err != nil {
		t.Fatal(err)
	}
	if f.Format() != 2 || f.sanctions != 2 || f.settings != 1 {
		t.Errorf("format %d, %d sanctions, %d channels with settings, want 2, 2, 1", f.Format(), f.sanctions, f.settings)
	}
	for i := f.ReadFrom(); i < f.Next(); i++ {
		apply(t, f, i, events[i])
	}
	var got []string
	for _, o := range apply(t, f, f.Next(), join("d", 1, "c/d", "s2", "bob/x")) {
		got = append(got, show(o))
	}
	joined := "{c/d joined s2/bob/x/d first last 4 count 2"
	rest := " clast 5 mute 6 until 9 by mod for why banned 7 until 0 by mod for why}"
	want := []string{
		"a@11.0<10.0: " + joined + rest,
		"b@11.0<10.0: " + joined + rest,
		`d@11.0<0.0: {c/d first users [ann bob/x] voids [] infos ["{\"name\":\"Ann\"}" ""] clast 5 settings 9/0 by mod slow 0 since 0 frozen false topic "x" data "" pins [4] amounts 2 of 2 and 1}` +
			" {c/d users [] voids [10] banned [bob/x]} " + joined + " subscribed" + rest,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// tornAfter is the state at marker, with the values that the later state has of the
// keys.
func tornAfter(t *testing.T, events []*schema.Event, marker int, keys ...string) map[string][]byte {
	t.Helper()
	state, later := checkpoint(t, events[:marker]...), checkpoint(t, events...)
	for _, key := range keys {
		if delete(state, key); later[key] != nil {
			state[key] = later[key]
		}
	}
	return state
}

// A torn flush leaves what is wrong until the log is applied again up to its end.
func TestTornFlushesOfFormat2(t *testing.T) {
	pins := []*schema.Event{markerOf(2)}
	for i := range schema.MaxPins {
		pins = append(pins, pinOf("a", uint64(i+1), "c", string(rune('A'+i)), int64(i+1), false))
	}
	full := len(pins)
	pins = append(pins,
		pinOf("a", 101, "c", "x", 100, false), // drops 1
		pinOf("a", 102, "c", "y", 100, true),
		pinOf("a", 103, "c", "z", 1, false),
	)
	for name, c := range map[string]struct {
		events []*schema.Event
		marker int
		keys   []string // which are from the future
	}{
		"pins do not drop others again": {pins, full, []string{schema.StateKeyPins("c")}},
		"info of a user who is gone goes": {[]*schema.Event{
			markerOf(2), joinInfo("a", 1, "c", "s1", "ann", "1"), leave("a", 2, "c", "s1", "ann"),
		}, 2, []string{schema.StateKeyConnector("a"), schema.StateKeyMember("s1", "c")}},
		"info of a user who is not there yet": {[]*schema.Event{
			markerOf(2), join("a", 1, "c", "s1", "ann"), joinInfo("a", 2, "c", "s2", "bob", "1"),
		}, 2, []string{schema.StateKeyConnector("a"), schema.StateKeyInfo("c", "bob")}},
		"a ban and its lift": {[]*schema.Event{
			markerOf(2), join("a", 1, "c", "s1", "ann"), sanctionOf(ban, "a", 2, "c", "ann", "1", 0), sanctionOf(lift, "a", 3, "c", "ann", "2", 0),
			join("a", 4, "c", "s1", "ann"),
		}, 2, []string{schema.StateKeyConnector("a"), schema.StateKeyMember("s1", "c")}},
		"settings": {[]*schema.Event{
			markerOf(2), setOf("a", 1, "c", "1", topic("x")), setOf("a", 2, "c", "2", topic("y")), setOf("a", 3, "c", "3", func(s *schema.Set) { s.Data = []byte("1") }),
		}, 2, []string{schema.StateKeySettings("c")}},
		"slow mode": {[]*schema.Event{
			markerOf(2), setOf("a", 1, "c", "1", slow(20)), setOf("a", 2, "c", "2", slow(20)), setOf("a", 3, "c", "3", slow(10)), setOf("a", 4, "c", "4", slow(20)), setOf("a", 5, "c", "5", topic("x")),
		}, 2, []string{schema.StateKeySettings("c")}},
		"a watch that ended and began again": {[]*schema.Event{
			markerOf(2), watchOf("a", 1, "c"), unwatchOf("a", 2, "c"), watchOf("a", 3, "c"),
		}, 2, []string{schema.StateKeyConnector("a"), schema.StateKeyWatch("a", "c")}},
	} {
		t.Run(name, func(t *testing.T) {
			state := tornAfter(t, c.events, c.marker, c.keys...)
			f, err := Restore(testLog, collected(state))
			if err != nil {
				t.Fatal(err)
			}
			for i := int(f.Next()); i < len(c.events); i++ {
				apply(t, f, int64(i), c.events[i])
			}
			records, err := f.Flush(1)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if state[r.Key] = r.Value; r.Value == nil {
					delete(state, r.Key)
				}
			}
			want := checkpoint(t, c.events...)
			if !maps.EqualFunc(state, want, func(a, b []byte) bool { return string(a) == string(b) }) {
				t.Errorf("the checkpoint has\n%q, want\n%q", state, want)
			}
		})
	}
}

// A connector's kicks, snapshots and settings fit into pushes, and are complete.
//
//parley:bound a push
func TestLargeEventsOfFormat2AreSplit(t *testing.T) {
	const sessions, users = 12_000, 4_000
	f := New(Log{Epoch: "e1", Window: 1 << 20})
	next, counter := int64(0), uint64(0)
	step := func(e *schema.Event) []Out {
		out := apply(t, f, next, e)
		next++
		for _, o := range out {
			if n := proto.Size(o.Push); n > MaxPush {
				t.Errorf("push %d of offset %d has %d bytes", o.Push.Index, o.Push.Offset, n)
			}
		}
		return out
	}
	count := func() uint64 { counter++; return counter }
	m := markerOf(2)
	m.GetMarker().Window = 1 << 20
	step(m)
	step(setOf("m", count(), "c", "1", func(s *schema.Set) {
		topic(long("topic", 0, schema.MaxTopic))(s)
		s.Data = []byte(long("9", 9, schema.MaxTopicData))
	}))
	for i := range sessions {
		step(joinInfo("b", count(), "c", long("s", i, schema.MaxID), "bob", `{"is":"bob"}`))
	}
	for i := range users {
		step(joinInfo("b", count(), "c", long("t", i, schema.MaxID), long("u", i, schema.MaxName), long("9", i, schema.MaxInfo)))
		step(sanctionOf(ban, "m", count(), "c", long("u", i, schema.MaxName), long("i", i, schema.MaxID), 0))
		step(joinInfo("b", count(), "c", long("t", i, schema.MaxID), long("u", i, schema.MaxName), long("9", i, schema.MaxInfo)))
	}
	var infos, banned, settings int
	for _, o := range step(join("a", count(), "c", "s", "zoe")) {
		for _, u := range o.Push.Updates {
			for _, info := range u.GetSnapshot().GetInfos() {
				infos += min(len(info), 1)
			}
			banned += len(u.GetSnapshot().GetBanned())
			if u.GetSnapshot().GetSettings() != nil {
				settings++
			}
		}
	}
	if infos != users+1 || banned != users || settings != 1 {
		t.Errorf("the snapshot has %d infos, %d banned users, %d settings, want %d, %d, 1", infos, banned, settings, users+1, users)
	}
	removed, pushes := 0, 0
	for _, o := range step(sanctionOf(kick, "m", count(), "c", "bob", "k", 0)) {
		for _, u := range o.Push.Updates {
			removed += len(u.GetRemoved().GetSessions())
		}
		if o.Push.Connector == "b" {
			pushes++
		}
	}
	if removed != sessions || pushes < 2 {
		t.Errorf("%d sessions were removed in %d pushes, want %d in several", removed, pushes, sessions)
	}
}

// A snapshot with all that there can be in its first chunk fits into a push.
func TestSettingsLeaveRoomInSnapshots(t *testing.T) {
	f := New(Log{Epoch: "e1", Window: 1 << 20})
	f.limit = 8 << 10
	m := markerOf(2)
	m.GetMarker().Window = 1 << 20
	events := []*schema.Event{m, setOf("m", 1, "c", "1", func(s *schema.Set) {
		topic(long("topic", 0, schema.MaxTopic))(s)
		s.Data = []byte(long("9", 9, schema.MaxTopicData))
	})}
	for i := range 25 {
		events = append(events, join("b", uint64(i+1), "c", long("s", i, schema.MaxID), long("u", i, schema.MaxName)))
	}
	for i := range 3_000 {
		events = append(events, chat("m", uint64(i+2), "c", "ann", "1", ""))
	}
	events = append(events, join("a", 1, "c", "s", "zoe"))
	for i, e := range events {
		for _, o := range apply(t, f, int64(i), e) {
			if n := proto.Size(o.Push); n > f.limit {
				t.Errorf("push %d of offset %d has %d bytes, %d are allowed", o.Push.Index, i, n, f.limit)
			}
		}
	}
}
