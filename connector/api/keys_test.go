package api

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Two lines that cannot be told apart are refused, whichever would count.
func TestKeysAreToldApart(t *testing.T) {
	for text, want := range map[string]string{
		"a " + Sum("x") + " []\na " + Sum("y") + " []": "same name",
		"a " + Sum("x") + " []\nb " + Sum("x") + " []": "same key",
		"a " + Sum("x") + " []\nb " + Sum("y") + " []": "",
	} {
		switch _, _, err := ParseKeys([]byte(text)); {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want one of line 2 with %q", text, err, want)
		}
	}
}

// A name tells in the log who did something: nobody else has those of the program itself,
// and the log takes it.
func TestNamesOfKeys(t *testing.T) {
	longest := strings.Repeat("k", schema.MaxKey)
	for name, want := range map[string]string{
		"shop": "", "local2": "", "Local": "", "ingest": "", longest: "",
		"cli": "commands of parley", "local": "parley up", longest + "k": "64 bytes", "a b": "no blanks", "a#": "no #", "": "1 to 128 bytes",
	} {
		err := CheckName(name)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want one with %q", name, err, want)
		}
		if _, _, refused := ParseKeys([]byte(name + " " + Sum("x") + " []")); (refused == nil) != (err == nil) {
			t.Errorf("a line for %q: %v", name, refused)
		}
		chat := &schema.Event{Connector: "c", Counter: 1, Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "ada", Id: "1", Body: "x", Key: name}}}
		if value, marshalling := proto.Marshal(chat); marshalling != nil {
			t.Fatal(marshalling)
		} else if _, corrupt := schema.DecodeEvent(value); err == nil && corrupt != nil {
			t.Errorf("%q is taken, and the log does not take it: %v", name, corrupt)
		}
	}
}
