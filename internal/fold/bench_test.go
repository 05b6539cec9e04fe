package fold

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// BenchmarkChat is a chat in a channel of one member on each of 10 connectors,
// with the production window.
func BenchmarkChat(b *testing.B) {
	const connectors = 10
	f := New(Log{Epoch: "e1", Window: schema.Window})
	for i := range connectors {
		id := fmt.Sprint(i)
		apply(b, f, int64(i+1), join(id, 1, "c", "s"+id, "user"+id))
	}
	events := make([]*schema.Event, b.N)
	for i := range events {
		events[i] = chat("0", uint64(i+2), "c", "user0", fmt.Sprint(i), "")
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i, e := range events {
		if out := apply(b, f, int64(connectors+1+i), e); len(out) != connectors {
			b.Fatalf("%d pushes, want %d", len(out), connectors)
		}
	}
}

// BenchmarkFlush is a checkpoint of 10,000 new members.
func BenchmarkFlush(b *testing.B) {
	const members = 10_000
	f := New(Log{Epoch: "e1", Window: schema.Window})
	for i := range members {
		apply(b, f, int64(i+1), join("a", uint64(i+1), fmt.Sprint("c", i%100), fmt.Sprint("s", i), fmt.Sprint("u", i)))
	}
	all := f.dirty
	b.ReportAllocs()
	for b.Loop() {
		f.dirty = all
		if _, err := f.Flush(0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestore is a checkpoint of 1,000,000 channels that had messages once.
func BenchmarkRestore(b *testing.B) {
	const channels = 1_000_000
	log := Log{Epoch: "e1", Window: schema.Window}
	build := &builder{}
	build.put(schema.StateKeyMarker, &schema.StateMarker{Next: 1, Epoch: log.Epoch, TopicId: log.TopicID[:]})
	for i := range channels {
		build.put(schema.StateKeyChannel(fmt.Sprintf("room-%026d", i)), &schema.StateChannel{Last: int64(i + 1)})
	}
	if build.err != nil {
		b.Fatal(build.err)
	}
	b.ReportAllocs()
	before := inuse.Heap()
	var f *Fold
	var err error
	for b.Loop() {
		c := NewCheckpoint()
		for _, r := range build.records {
			c.Put(Record{strings.Clone(r.Key), r.Value})
		}
		if f, err = Restore(log, c); err != nil || len(f.channels) != channels {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(inuse.Heap()-before)/channels, "B/channel")
	runtime.KeepAlive(f)
	runtime.KeepAlive(build)
}
