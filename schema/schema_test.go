package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

func chat(connector string, counter uint64, channel, user, id string) *Event {
	return &Event{Connector: connector, Counter: counter, Kind: &Event_Chat{Chat: &Chat{Channel: channel, User: user, Id: id, Body: "b"}}}
}

func join(connector string, counter uint64) *Event {
	return &Event{Connector: connector, Counter: counter, Kind: &Event_Join{Join: &Join{Channel: "c", User: "u", Session: "s"}}}
}

func watch(connector string, counter uint64) *Event {
	return &Event{Connector: connector, Counter: counter, Kind: &Event_Watch{Watch: &Watch{Channel: "c", Connector: connector}}}
}

func down(connector string) *Event {
	return &Event{Kind: &Event_Down{Down: &Down{Connector: connector, Reason: Reason_REASON_TIMEOUT}}}
}

func TestVoidWindow(t *testing.T) {
	type step struct {
		offset int64
		event  *Event
		void   bool
	}
	for name, steps := range map[string][]step{
		"a retry by id is void, from another connector too": {
			{1, chat("a", 1, "c", "u", "x"), false},
			{2, chat("b", 1, "c", "u", "x"), true},
		},
		"an id is unique per user and channel only": {
			{1, chat("a", 1, "c", "u", "x"), false},
			{2, chat("a", 2, "d", "u", "x"), false},
			{3, chat("a", 3, "c", "v", "x"), false},
		},
		"names are not run together": {
			{1, chat("a", 1, "c", "uu", "x"), false},
			{2, chat("a", 2, "c", "u", "ux"), false},
		},
		"the window is n offsets wide, its edge included": {
			{1, chat("a", 1, "c", "u", "x"), false},
			{11, chat("a", 2, "c", "u", "x"), true},
		},
		"beyond the window a retry is a new message": {
			{1, chat("a", 1, "c", "u", "x"), false},
			{12, chat("a", 2, "c", "u", "x"), false},
		},
		"a retry of a void retry counts from the void one": {
			{1, chat("a", 1, "c", "u", "x"), false},
			{11, chat("a", 2, "c", "u", "x"), true},
			{21, chat("a", 3, "c", "u", "x"), true},
		},
		"a repeated counter is void": {
			{1, chat("a", 5, "c", "u", "x"), false},
			{2, chat("a", 5, "c", "u", "y"), true},
			{3, chat("a", 4, "c", "u", "z"), true},
			{4, chat("a", 6, "c", "u", "w"), false},
		},
		"a void event's id counts": {
			{1, chat("a", 5, "c", "u", "x"), false},
			{2, chat("a", 5, "c", "u", "y"), true},
			{3, chat("a", 6, "c", "u", "y"), true},
		},
		"when the highest counter is out of the window the next highest counts": {
			{1, chat("a", 9, "c", "u", "1"), false},
			{5, chat("a", 7, "c", "u", "2"), true},
			{11, chat("a", 9, "c", "u", "3"), true},
			{22, chat("a", 7, "c", "u", "4"), false},
		},
		"a join of a connector that is down is void, its chat stands": {
			{1, join("a", 1), false},
			{2, down("a"), false},
			{3, join("a", 2), true},
			{4, chat("a", 3, "c", "u", "x"), false},
			{5, join("b", 1), false},
			{13, join("a", 4), false},
		},
		"so is its watch": {
			{1, watch("a", 1), false},
			{2, down("a"), false},
			{3, watch("a", 2), true},
			{4, watch("b", 1), false},
			{13, watch("a", 3), false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := NewVoidWindow(10)
			for _, s := range steps {
				if got := w.Judge(s.offset, s.event); got != s.void {
					t.Errorf("offset %d: void %v, want %v", s.offset, got, s.void)
				}
			}
		})
	}
}

// A reader that starts N offsets earlier judges like one that read everything.
func TestVoidWindowNeedsOnlyTheNOffsetsBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 8
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 80).Draw(t, "events")
		start := rapid.IntRange(0, len(events)-1).Draw(t, "start")
		all, late := NewVoidWindow(n), NewVoidWindow(n)
		for i, e := range events {
			want := all.Judge(int64(i), e)
			if i < start-n {
				continue
			}
			if got := late.Judge(int64(i), e); i >= start && got != want {
				t.Fatalf("offset %d: void %v when started at %d, %v from the beginning", i, got, start-n, want)
			}
		}
	})
}

// The window agrees with the rule as it is written, by brute force.
func TestVoidWindowIsTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 6
		events := rapid.SliceOfN(rapid.Custom(drawEvent), 1, 60).Draw(t, "events")
		w := NewVoidWindow(n)
		for i, e := range events {
			if got, want := w.Judge(int64(i), e), void(events[max(0, i-n):i], e); got != want {
				t.Fatalf("offset %d: void %v, want %v", i, got, want)
			}
		}
	})
}

func void(before []*Event, e *Event) bool {
	for _, b := range before {
		if e.Connector != "" && b.Connector == e.Connector && e.Counter <= b.Counter {
			return true
		}
		if a := actor(e); a != "" && a == actor(b) {
			return true
		}
		if e.GetJoin() != nil && b.GetDown() != nil && b.GetDown().Connector == e.Connector {
			return true
		}
		if e.GetWatch() != nil && b.GetDown() != nil && b.GetDown().Connector == e.GetWatch().Connector {
			return true
		}
	}
	return false
}

// actor is what the rule compares of an act, in words.
func actor(e *Event) string {
	by := func(channel string, by *Author, id string) string {
		if key := by.GetKey(); key != "" {
			return fmt.Sprintf("in %s the backend's key %s: %s", channel, key, id)
		}
		return fmt.Sprintf("in %s the client's user %s: %s", channel, by.GetUser(), id)
	}
	switch k := e.Kind.(type) {
	case *Event_Chat:
		return fmt.Sprintf("in %s the %s's user %s: %s", k.Chat.Channel, [...]string{"client", "backend"}[k.Chat.Origin], k.Chat.User, k.Chat.Id)
	case *Event_Change:
		return fmt.Sprintf("in %s the %s's user %s: %s", k.Change.Channel, [...]string{"client", "backend"}[k.Change.Origin], k.Change.User, k.Change.Id)
	case *Event_Pin:
		return by(k.Pin.Channel, k.Pin.By, k.Pin.Id)
	case *Event_Sanction:
		return by(k.Sanction.Channel, k.Sanction.By, k.Sanction.Id)
	case *Event_Purge:
		return by(k.Purge.Channel, k.Purge.By, k.Purge.Id)
	case *Event_Set:
		return by(k.Set.Channel, k.Set.By, k.Set.Id)
	}
	return ""
}

func drawEvent(t *rapid.T) *Event {
	connector := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "connector")
	counter := rapid.Uint64Range(1, 30).Draw(t, "counter")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return down(connector)
	case 1, 2:
		return join(connector, counter)
	case 3:
		return watch(connector, counter)
	case 4, 5:
		return drawAct(t, connector, counter)
	default:
		return chat(connector, counter, "c", "u", fmt.Sprint(rapid.IntRange(0, 12).Draw(t, "id")))
	}
}

// drawAct draws an act of any kind, by few actors with few ids.
func drawAct(t *rapid.T, connector string, counter uint64) *Event {
	e := &Event{Connector: connector, Counter: counter}
	id := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "id"))
	channel := rapid.SampledFrom([]string{"c", "d"}).Draw(t, "channel")
	origin := Origin(rapid.IntRange(0, 1).Draw(t, "origin"))
	by := &Author{By: &Author_User{User: "u"}}
	if origin == Origin_ORIGIN_BACKEND {
		by.By = &Author_Key{Key: "u"}
	}
	switch rapid.IntRange(0, 5).Draw(t, "act") {
	case 0:
		e.Kind = &Event_Chat{Chat: &Chat{Channel: channel, User: "u", Id: id, Body: "b", Origin: origin}}
	case 1:
		e.Kind = &Event_Pin{Pin: &Pin{Channel: channel, By: by, Id: id}}
	case 2:
		e.Kind = &Event_Sanction{Sanction: &Sanction{Channel: channel, User: "v", By: by, Id: id}}
	case 3:
		e.Kind = &Event_Purge{Purge: &Purge{Channel: channel, User: "v", By: by, Id: id}}
	case 4:
		e.Kind = &Event_Set{Set: &Set{Channel: channel, By: by, Id: id}}
	default:
		e.Kind = &Event_Change{Change: &Change{Channel: channel, User: "u", Id: id, Origin: origin}}
	}
	return e
}

func TestVoidWindowForgets(t *testing.T) {
	w := NewVoidWindow(100)
	for i := range int64(10_000) {
		w.Judge(i, chat(fmt.Sprint("c", i), 1, "c", "u", fmt.Sprint(i)))
	}
	if len(w.ids) > 101 || len(w.counters) > 101 || w.seen.len() > 101 || len(w.seen.items) > 3000 {
		t.Errorf("the window of 100 holds %d ids, %d connectors, %d sightings", len(w.ids), len(w.counters), len(w.seen.items))
	}
}

func TestDecodeEvent(t *testing.T) {
	newKind := protowire.AppendBytes(protowire.AppendTag(nil, 40, protowire.BytesType), []byte("x"))
	valid := chat("a", 1, "c", "u", "x")
	with := func(change func(*Event)) []byte {
		e := proto.Clone(valid).(*Event)
		change(e)
		b, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name  string
		value []byte
		want  string // part of the error; "" for none
	}{
		{"a chat", with(func(*Event) {}), ""},
		{"nothing", nil, "corrupt"},
		{"noise", []byte("\xff\xfe not an event"), "corrupt"},
		{"a newer kind", newKind, "event kind 40"},
		{"a newer format", with(func(e *Event) { e.Kind = &Event_Format{Format: &Format{Number: 99}} }), "format 99"},
		{"a newer marker", with(func(e *Event) { e.Kind = &Event_Marker{Marker: &Marker{Epoch: "e", Window: 1, Format: 99}} }), "format 99"},
		{"no connector", with(func(e *Event) { e.Connector = "" }), "corrupt"},
		{"no counter", with(func(e *Event) { e.Counter = 0 }), "corrupt"},
		{"a bad name", with(func(e *Event) { e.GetChat().Channel = "a\nb" }), "corrupt"},
		{"a long user", with(func(e *Event) { e.GetChat().User = strings.Repeat("u", MaxName+1) }), "corrupt"},
		{"no body", with(func(e *Event) { e.GetChat().Body = "" }), "corrupt"},
		{"a session with a slash", with(func(e *Event) {
			e.Kind = &Event_Join{Join: &Join{Channel: "c", User: "u", Session: "a/b"}}
		}), "corrupt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := DecodeEvent(c.value)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			var newer *NewerError
			if errors.As(err, &newer) == errors.Is(err, ErrCorrupt) && err != nil {
				t.Errorf("%v is not one of corrupt and newer", err)
			}
		})
	}
}

// What is read as an event is read as the same one when it is written again.
func FuzzDecodeEvent(f *testing.F) {
	for _, e := range []*Event{chat("a", 1, "c", "u", "x"), edit(1), {Connector: "a", Counter: 1, Kind: &Event_Chat{Chat: &Chat{
		Channel: "c", User: "u", Id: "i", Body: "b", Data: []byte("{"), Info: []byte(`"\xff"`), Mentions: []string{"v"}, Reply: 1,
	}}}} {
		b, err := proto.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := DecodeEvent(value)
		if err != nil {
			return
		}
		NewVoidWindow(1).Judge(1, e)
		b, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := DecodeEvent(b); err != nil || !proto.Equal(e, again) {
			t.Errorf("%x is another event when it is written again: %v", value, err)
		}
	})
}

// The partition is the one that Kafka's Java client and kafka-go choose.
func TestPartitionOf(t *testing.T) {
	partitions := make([]int, 48)
	for i := range partitions {
		partitions[i] = i
	}
	rapid.Check(t, func(t *rapid.T) {
		channel := rapid.StringN(1, 40, MaxName).Draw(t, "channel")
		want := kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: []byte(channel)}, partitions...)
		if got := PartitionOf(channel, len(partitions)); got != want {
			t.Fatalf("channel %q is in partition %d, want %d", channel, got, want)
		}
	})
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"lobby": true, "大厅": true, "a b/c": true, strings.Repeat("x", 128): true, "😀": true,
		"": false, strings.Repeat("x", 129): false, "a\x00": false, "a\u009f": false, "a\x7f": false, "\xff": false, "tab\t": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}

func TestStateKeys(t *testing.T) {
	key := StateKeyMember("s1", "a/b/c")
	if s, c, ok := StateMemberOf(key); !ok || s != "s1" || c != "a/b/c" {
		t.Errorf("StateMemberOf(%q) = %q, %q, %v", key, s, c, ok)
	}
	for _, k := range []struct {
		key string
		of  func(string) (string, string, bool)
	}{
		{StateKeyInfo("a/b/c", "u/v"), StateInfoOf},
		{StateKeySanction("a/b/c", "u/v"), StateSanctionOf},
	} {
		if c, u, ok := k.of(k.key); !ok || c != "a/b/c" || u != "u/v" {
			t.Errorf("%q is of channel %q, user %q, %v", k.key, c, u, ok)
		}
	}
	if id, c, ok := StateWatchOf(StateKeyWatch("a", "b/c")); !ok || id != "a" || c != "b/c" {
		t.Errorf("a watch of connector %q, channel %q, %v", id, c, ok)
	}
	for _, key := range []string{StateKeySettings("a/b"), StateKeyPins("a/b"), StateKeyChannel("a/b")} {
		n := 0
		for _, of := range []func(string) (string, bool){StateSettingsOf, StatePinsOf, StateChannelOf, StateConnectorOf} {
			if c, ok := of(key); ok {
				if n++; c != "a/b" {
					t.Errorf("%q is of channel %q", key, c)
				}
			}
		}
		if n != 1 {
			t.Errorf("%q is of %d kinds", key, n)
		}
	}
}
