package lease

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// Records of parley.control of any kind are refused or counted, and nobody is
// dead before there were ticks enough.
func FuzzControl(f *testing.F) {
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(schema.ControlKeyBeat("c"), marshal(&schema.Beat{PushPartition: -1, TokenAge: -1}), schema.ControlKeyTick, marshal(&schema.Tick{Claim: 1, Number: 1<<63 - 1}))
	f.Add(schema.ControlKeyClaim, []byte("x"), schema.ControlKeyTick, []byte("\xff"))
	f.Add("", []byte(nil), "connector/", []byte{})
	f.Fuzz(func(t *testing.T, key1 string, value1 []byte, key2 string, value2 []byte) {
		m := New()
		for i, r := range []struct {
			key   string
			value []byte
		}{{key1, value1}, {schema.ControlKeyClaim, []byte("me")}, {key2, value2}, {key1, value1}} {
			_ = m.Apply(int64(i), r.key, r.value)
		}
		if dead := m.Due(m.Claim()); len(dead) > 0 {
			t.Errorf("%q %x, %q %x: %v are dead after a tick", key1, value1, key2, value2, dead)
		}
	})
}
