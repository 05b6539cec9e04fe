package schema

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/testing/inuse"
)

// windowBytes is what docs/architecture.md says that the void window of a
// partition takes.
const windowBytes = 15_000_000

// The void window takes no more memory than documented, whatever its events are:
// the longest messages of one connector or of many, or a connector's counters
// that go down.
//
//parley:bound the void window
func TestVoidWindowTakesWhatItMay(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	one := strings.Repeat("c", MaxID)
	for name, event := range map[string]func(i int64) *Event{
		"the longest messages": func(i int64) *Event {
			e := chat(one, uint64(i+1), long(MaxName), long(MaxName), fmt.Sprintf("%064d", i))
			e.GetChat().Body = long(1000)
			return e
		},
		"of many connectors": func(i int64) *Event {
			return chat(fmt.Sprintf("%064d", i%1000), uint64(i+1), "c", "u", fmt.Sprint(i))
		},
		"counters that go down": func(i int64) *Event { return chat(one, uint64(1<<40-i), "c", "u", fmt.Sprint(i)) },
		"joins":                 func(i int64) *Event { return join(one, uint64(i+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			before := inuse.Heap()
			w := NewVoidWindow(Window)
			for i := range int64(3 * Window) { // as it is after a while
				value, err := proto.Marshal(event(i))
				if err != nil {
					t.Fatal(err)
				}
				var read Event
				if err := proto.Unmarshal(value, &read); err != nil {
					t.Fatal(err)
				}
				w.Judge(i, &read)
			}
			heap := inuse.Heap() - before
			t.Logf("%d bytes, %d an offset", heap, heap/Window)
			if heap > windowBytes {
				t.Errorf("the window takes %d bytes, at most %d are reckoned with", heap, windowBytes)
			}
			runtime.KeepAlive(w)
		})
	}
}
