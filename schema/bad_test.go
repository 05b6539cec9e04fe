package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// badEvents are invalid values of parley.events: every consumer skips
// them, in the same way.
func badEvents(t *testing.T) map[string][]byte {
	t.Helper()
	kinds := map[string]*Event{
		"chat":  chat("a", 1, "c", "u", "x"),
		"join":  {Connector: "a", Counter: 1, Kind: &Event_Join{Join: &Join{Channel: "c", User: "u", Session: "s"}}},
		"leave": {Connector: "a", Counter: 1, Kind: &Event_Leave{Leave: &Leave{Channel: "c", User: "u", Session: "s"}}},
		"down":  {Connector: "a", Counter: 1, Kind: &Event_Down{Down: &Down{Connector: "b"}}},
	}
	all := map[string][]byte{"nothing": {}, "noise": []byte("\xff\xfe not an event"), "JSON": []byte(`{"chat":{"channel":"a","body":"x"}}`), "a tag alone": {0x0a}, "a group without end": {0x0b}, "a length beyond the end": {0x0a, 0x7f, 'x'}, "a varint without end": {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "field 0": {0x02, 0x00}, "zeros": make([]byte, 32), "no kind": protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("a"))}
	add := func(kind, name string, change func(*Event)) {
		e := proto.Clone(kinds[kind]).(*Event)
		change(e)
		b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all[kind+" "+name] = b
	}
	for _, kind := range []string{"chat", "join", "leave"} {
		add(kind, "without its connector", func(e *Event) { e.Connector = "" })
		add(kind, "with a long connector", func(e *Event) { e.Connector = strings.Repeat("c", MaxID+1) })
		add(kind, "without its counter", func(e *Event) { e.Counter = 0 })
		for name, text := range map[string]string{"an empty": "", "a long": strings.Repeat("n", MaxName+1), "a NUL in its": "a\x00", "a line end in its": "a\n", "a DEL in its": "\x7f", "a C1 control in its": "a\u0085"} {
			add(kind, "with "+name+" channel", func(e *Event) { setField(e, "channel", text) })
			add(kind, "with "+name+" user", func(e *Event) { setField(e, "user", text) })
		}
	}
	for _, kind := range []string{"join", "leave"} {
		for name, text := range map[string]string{"an empty": "", "a long": strings.Repeat("s", MaxID+1), "a slash in its": "a/b"} {
			add(kind, "with "+name+" session", func(e *Event) { setField(e, "session", text) })
		}
	}
	for name, text := range map[string]string{"an empty": "", "a long": strings.Repeat("s", MaxID+1), "a slash in its": "a/b"} {
		add("down", "with "+name+" connector", func(e *Event) { e.GetDown().Connector = text })
	}
	add("join", "with a negative push partition", func(e *Event) { e.GetJoin().PushPartition = -1 })
	add("join", "with the lowest push partition", func(e *Event) { e.GetJoin().PushPartition = -1 << 31 })
	add("chat", "without an id", func(e *Event) { e.GetChat().Id = "" })
	add("chat", "with a long id", func(e *Event) { e.GetChat().Id = strings.Repeat("i", MaxID+1) })
	add("chat", "without a body", func(e *Event) { e.GetChat().Body = "" })
	add("chat", "with a long body", func(e *Event) { e.GetChat().Body = strings.Repeat("b", MaxBody+1) })
	add("chat", "to a long name", func(e *Event) { e.GetChat().To = strings.Repeat("n", MaxName+1) })
	add("chat", "to a name with a NUL", func(e *Event) { e.GetChat().To = "a\x00" })
	for name, m := range map[string]*Marker{"without epoch": {Format: 1, Window: 1}, "without format": {Epoch: "e", Window: 1}, "without window": {Epoch: "e", Format: 1}, "with a negative window": {Epoch: "e", Format: 1, Window: -1}, "with a negative format": {Epoch: "e", Format: -1, Window: 1}} {
		kinds["marker"] = &Event{Kind: &Event_Marker{Marker: m}}
		add("marker", name, func(*Event) {})
	}
	for _, n := range []int32{0, -1, -1 << 31} {
		kinds["format"] = &Event{Kind: &Event_Format{Format: &Format{Number: n}}}
		add("format", fmt.Sprint(n), func(*Event) {})
	}
	whole, _ := proto.Marshal(kinds["chat"])
	for _, n := range []int{1, 5, len(whole) / 2, len(whole) - 1} {
		all[fmt.Sprintf("chat cut after %d bytes", n)] = whole[:n]
	}
	return all
}

func setField(e *Event, field, text string) {
	set := map[string]*string{}
	switch k := e.Kind.(type) {
	case *Event_Chat:
		set["channel"], set["user"] = &k.Chat.Channel, &k.Chat.User
	case *Event_Join:
		set["channel"], set["user"], set["session"] = &k.Join.Channel, &k.Join.User, &k.Join.Session
	case *Event_Leave:
		set["channel"], set["user"], set["session"] = &k.Leave.Channel, &k.Leave.User, &k.Leave.Session
	}
	*set[field] = text
}

// A record that is not an event is corrupt; one of a newer parley is not: nobody
// may skip it.
func TestBadEvents(t *testing.T) {
	for name, value := range badEvents(t) {
		t.Run(name, func(t *testing.T) {
			if e, err := DecodeEvent(value); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%x: %v, %v", value, e, err)
			}
		})
	}
	for number := protowire.Number(firstKind + 13); number <= lastKind; number += 8 {
		t.Run(fmt.Sprintf("a kind %d", number), func(t *testing.T) {
			value := protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), []byte("x"))
			var newer *NewerError
			if _, err := DecodeEvent(value); !errors.As(err, &newer) || newer.Number != int32(number) {
				t.Errorf("%v", err)
			}
		})
	}
}
