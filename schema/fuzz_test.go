package schema

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// A window judges the same when it begins N offsets earlier, whatever events
// there are.
func FuzzVoidWindow(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 0, 1}, uint8(3))
	f.Add([]byte{4, 0, 4, 0, 8, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, script []byte, n uint8) {
		window := int64(n)%8 + 1
		event := func(b byte) *Event {
			connector, counter := string('a'+rune(b&1)), uint64(b>>1&3)+1
			switch b >> 3 & 3 {
			case 0:
				return chat(connector, counter, "c", "u", string('a'+rune(b>>5)))
			case 1:
				return join(connector, counter)
			default:
				return down(connector)
			}
		}
		all := NewVoidWindow(window)
		for i, b := range script {
			verdict := all.Judge(int64(i), event(b))
			late := NewVoidWindow(window)
			var again bool
			for j := max(0, i-int(window)); j <= i; j++ {
				again = late.Judge(int64(j), event(script[j]))
			}
			if again != verdict {
				t.Fatalf("event %d of %x is void: %v, from %d offsets before it: %v", i, script, verdict, window, again)
			}
		}
	})
}

// Whatever is in a record of parley.push, it is refused or can be written again.
func FuzzPush(f *testing.F) {
	for _, p := range []*Push{{}, {Format: 1, Updates: []*Update{{}}}, {Format: 99}} {
		b, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		var p Push
		if proto.Unmarshal(value, &p) != nil {
			return
		}
		b, err := proto.Marshal(&p)
		if err != nil {
			t.Fatal(err)
		}
		var again Push
		if err := proto.Unmarshal(b, &again); err != nil || !proto.Equal(&p, &again) {
			t.Errorf("%x is another push when it is written again: %v", value, err)
		}
	})
}

// A name is taken only in one form, and one that may be new may also be old.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"lobby", "a\u200db", " a", "👩\u200d👧", "\ufeff", "\u2800", "क\u200dष", "a\x00", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckNewName(name) == nil && CheckName(name) != nil {
			t.Errorf("%q may be new and not old", name)
		}
	})
}
