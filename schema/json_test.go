package schema

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// jsonEvents are events that hold a JSON value, each in one of the fields for it.
func jsonEvents(value []byte) map[string]*Event {
	by := &Author{By: &Author_User{User: "u"}}
	return map[string]*Event{
		"info of a join": {Connector: "a", Counter: 1, Kind: &Event_Join{Join: &Join{Channel: "c", User: "u", Session: "s", Info: value}}},
		"info of a chat": {Connector: "a", Counter: 1, Kind: &Event_Chat{Chat: &Chat{Channel: "c", User: "u", Id: "i", Body: "b", Info: value}}},
		"data of a chat": {Connector: "a", Counter: 1, Kind: &Event_Chat{Chat: &Chat{Channel: "c", User: "u", Id: "i", Body: "b", Data: value}}},
		"data of a set":  {Connector: "a", Counter: 1, Kind: &Event_Set{Set: &Set{Channel: "c", By: by, Id: "i", Data: value}}},
		"data of an edit": {Connector: "a", Counter: 1, Kind: &Event_Change{Change: &Change{
			Channel: "c", User: "u", Author: "u", Id: "i", Target: 1, Act: &Change_Edit{Edit: &Edit{Body: "b", Data: value}}}}},
	}
}

func jsonOf(e *Event) []byte {
	switch k := e.Kind.(type) {
	case *Event_Join:
		return k.Join.Info
	case *Event_Chat:
		return append(k.Chat.Info, k.Chat.Data...)
	case *Event_Set:
		return k.Set.Data
	}
	return e.GetChange().GetEdit().Data
}

// An event is not skipped for what is not JSON, and never gets out of the
// decoder: it would break what it is embedded in.
func TestJSONOfEvents(t *testing.T) {
	values := map[string]string{}
	for _, good := range []string{"", "null", "0", `{"a":[1.5e3,"\ud83d\ude00"]}`, " [ ] ", `"\ud800"`} {
		values[good] = good
	}
	for _, bad := range []string{"nul", "NaN", "[1,]", `{"a":1}}`, `"a` + "\xff" + `"`, "\xef\xbb\xbf1", "\x00", "'a'", strings.Repeat("[", 500)} {
		values[bad] = "null"
	}
	for value, want := range values {
		for name, e := range jsonEvents([]byte(value)) {
			b, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeEvent(b)
			if err != nil {
				t.Fatalf("%s %q: %v", name, value, err)
			}
			if v := string(jsonOf(got)); v != want || v != "" && !json.Valid([]byte(v)) {
				t.Errorf("%s %q is read as %q, want %q", name, value, v, want)
			}
			if got.Needs() != e.Needs() {
				t.Errorf("%s %q needs format %d once read, %d before", name, value, got.Needs(), e.Needs())
			}
		}
	}
}

// Only the length of a JSON value makes an event corrupt.
func TestLongJSON(t *testing.T) {
	most := map[string]int{"info of a join": MaxInfo, "info of a chat": MaxInfo, "data of a chat": MaxData, "data of a set": MaxTopicData, "data of an edit": MaxData}
	for name, n := range most {
		for extra := range 2 {
			b, err := proto.Marshal(jsonEvents(make([]byte, n+extra))[name])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := DecodeEvent(b); errors.Is(err, ErrCorrupt) != (extra == 1) {
				t.Errorf("%s of %d bytes: %v", name, n+extra, err)
			}
		}
	}
}
