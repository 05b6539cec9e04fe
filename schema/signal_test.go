package schema

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// What is not a signal is corrupt, and data that is not JSON is null.
func TestDecodeSignal(t *testing.T) {
	good := func() *Signal { return &Signal{Channel: "a", User: "ada", Name: "typing"} }
	for what, spoil := range map[string]func(*Signal){
		"no channel":       func(s *Signal) { s.Channel = "" },
		"a bad channel":    func(s *Signal) { s.Channel = "a\x00" },
		"no user":          func(s *Signal) { s.User = "" },
		"no name":          func(s *Signal) { s.Name = "" },
		"a name too long":  func(s *Signal) { s.Name = strings.Repeat("x", MaxSignalName+1) },
		"data of too much": func(s *Signal) { s.Data = []byte(strings.Repeat("1", MaxSignalData+1)) },
	} {
		s := good()
		spoil(s)
		value, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeSignal(value); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	for data, want := range map[string]string{"": "", `{"x":1}`: `{"x":1}`, `{"x"`: "null"} {
		s := good()
		s.Data = []byte(data)
		value, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeSignal(value); err != nil || string(got.Data) != want {
			t.Errorf("data %q is %q, %v", data, got.GetData(), err)
		}
	}
}
