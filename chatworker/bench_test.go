package chatworker

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// BenchmarkEventToPush is the time from an event's append to its push at the
// connector, one at a time: two hops through the broker and the fold.
func BenchmarkEventToPush(b *testing.B) {
	r := newRig(b)
	r.start(func(w *Worker) { w.log = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	r.join("a", "c", "s1", "ann")
	reader := r.client.NewReader(eventlog.ReaderConfig{Topic: schema.TopicPush, Partition: pushPartition("a")})
	defer reader.Close()
	next := func() {
		if _, err := reader.Next(r.ctx()); err != nil {
			b.Fatal(err)
		}
	}
	next()
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		r.chat("a", "c", "ann", fmt.Sprint(i))
		next()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkTakeover is the start of a worker on a partition whose two windows
// are full of chats.
func BenchmarkTakeover(b *testing.B) {
	r := newRig(b)
	const channel = "c"
	partition := schema.PartitionOf(channel, partitions)
	var entries []entry
	for i := range 2*schema.Window + 1 {
		value, err := proto.Marshal(&schema.Event{Connector: "a", Counter: uint64(i + 1), Kind: &schema.Event_Chat{Chat: &schema.Chat{
			Channel: channel, User: "ann", Id: fmt.Sprintf("%026d", i), Body: fmt.Sprintf("%0128d", i),
		}}})
		if err != nil {
			b.Fatal(err)
		}
		entries = append(entries, entry{partition: partition, value: value})
	}
	if _, err := appendAll(r.ctx(), r.events, entries...); err != nil {
		b.Fatal(err)
	}
	w, stop := r.start()
	await.That(r.t, "the worker has folded everything", func() bool { return w.Stats().Events > int64(len(entries)) })
	stop()
	for b.Loop() {
		b.StopTimer()
		seen := len(r.pushes["late"])
		b.StartTimer()
		_, stop := r.start()
		r.counters = map[string]uint64{fmt.Sprint("late", partition): uint64(1 + seen)}
		r.join("late", channel, fmt.Sprint("s", seen), "bob")
		await.That(r.t, "the join is pushed", func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.pushes["late"]) > seen
		})
		b.StopTimer()
		stop()
		b.StartTimer()
	}
}

// BenchmarkClaim is what a worker does before it continues with a partition of
// 1,000,000 channels that had messages once: it claims the state, reads the
// checkpoint from the broker and restores it.
func BenchmarkClaim(b *testing.B) {
	const channels = 1_000_000
	r := newRig(b)
	checkpoint := make([]entry, 1, channels+1)
	checkpoint[0] = stateEntry(b, schema.StateKeyMarker, &schema.StateMarker{Next: 1, Epoch: r.log.Epoch, TopicId: r.log.TopicID[:]})
	for i := range channels {
		checkpoint = append(checkpoint, stateEntry(b, schema.StateKeyChannel(fmt.Sprintf("room-%026d", i)), &schema.StateChannel{Last: int64(i + 1)}))
	}
	if _, err := appendAll(r.ctx(), r.producer(eventlog.ProducerConfig{Topic: schema.TopicState}), checkpoint...); err != nil {
		b.Fatal(err)
	}
	w, err := New(Config{Base: roles.Base{Kafka: eventlog.Config{Brokers: []string{r.addr}}}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.client.Close)
	w.epoch = r.log
	state := r.producer(eventlog.ProducerConfig{Topic: schema.TopicState, TransactionalID: "bench"})
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := w.claim(r.ctx(), state, 0)
		if err != nil || f.Next() != 1 {
			b.Fatal(f, err)
		}
	}
}

func stateEntry(b *testing.B, key string, m proto.Message) entry {
	b.Helper()
	e, err := newEntry(0, key, m)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// BenchmarkHandover is the longest that a message waits when a second worker
// joins and leaves again, while messages flow in all partitions.
func BenchmarkHandover(b *testing.B) {
	r := newRig(b)
	first, _ := r.start()
	for i, c := range channels {
		r.join("a", c, fmt.Sprint("s", i), "ann")
	}
	n, worst := 0, time.Duration(0)
	// flow sends messages, each after the one before was pushed, until done.
	flow := func(done func() bool) {
		for !done() {
			id, began := fmt.Sprint(n), time.Now()
			r.chat("a", channels[n%partitions], "ann", id)
			await.That(r.t, "the chat is pushed", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return slices.ContainsFunc(r.pushes["a"], func(p received) bool {
					return p.Updates[0].GetMessage().GetId() == id
				})
			})
			worst = max(worst, time.Since(began))
			n++
		}
	}
	for b.Loop() {
		second, stop := r.start()
		flow(func() bool { return second.Stats().Partitions > 0 })
		go stop()
		flow(func() bool { return first.Stats().Partitions == partitions })
	}
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
}
