package signals

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

const topic = "signals"

// followed is a follower at work, and what it has taken and dropped.
type followed struct {
	*Follower
	t              *testing.T
	ctx            context.Context
	kafka          *eventlog.Client
	producer       *eventlog.Producer
	taken, dropped atomic.Int64
}

func follow(t *testing.T, change func(*Follower)) *followed {
	t.Helper()
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	f := &followed{t: t, ctx: ctx, kafka: kafka}
	f.Follower = New(Config{
		Kafka: kafka, Topic: topic, Partition: 1, Partitions: 2, Logger: slog.New(slog.DiscardHandler),
		Take:    func(_ context.Context, all []eventlog.Record) { f.taken.Add(int64(len(all))) },
		Dropped: func(n int) { f.dropped.Add(int64(n)) },
	})
	change(f.Follower)
	f.producer = kafka.NewProducer(eventlog.ProducerConfig{Topic: topic, Fleeting: true})
	over := make(chan struct{})
	go func() {
		defer close(over)
		f.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
		f.producer.Close()
	})
	return f
}

func (f *followed) create(partitions int) {
	f.t.Helper()
	err := admin.EnsureTopics(f.ctx, f.kafka, []admin.Topic{{Name: topic, Partitions: partitions, ReplicationFactor: 1}})
	if err != nil {
		f.t.Fatal(err)
	}
}

// write writes a record, or not, as those of signals are.
func (f *followed) write() {
	_, _ = f.producer.ProduceSync(f.ctx, 1, eventlog.Record{Value: []byte("x")})
}

// A topic is read while it is there with the partitions that it must have, from its
// end on.
func TestFollowerWaitsForItsTopic(t *testing.T) {
	f := follow(t, func(*Follower) {})
	reads := func() bool { return f.Reads(time.Now()) }
	if reads() {
		t.Error("a topic that is not there is read")
	}
	f.create(3)
	f.write()
	time.Sleep(300 * time.Millisecond) // more than it tries after
	if reads() || f.taken.Load() > 0 {
		t.Error("a topic of other partitions is read")
	}
	if err := admin.DeleteTopic(f.ctx, f.kafka, topic); err != nil {
		t.Fatal(err)
	}
	f.create(2)
	await.That(t, "it is read", reads)
	await.That(t, "what is written comes", func() bool { f.write(); return f.taken.Load() > 0 })
	if err := admin.DeleteTopic(f.ctx, f.kafka, topic); err != nil {
		t.Fatal(err)
	}
	await.That(t, "it is read no more", func() bool { return !reads() })
	if n := f.dropped.Load(); n > 0 {
		t.Errorf("%d were dropped", n)
	}
}

// What may have waited for long is left out.
func TestFollowerLeavesOutWhatIsLate(t *testing.T) {
	f := follow(t, func(f *Follower) { f.stale = 0 })
	f.create(2)
	await.That(t, "it is read", func() bool { return f.Reads(time.Now()) })
	await.That(t, "what is written is dropped", func() bool { f.write(); return f.dropped.Load() > 0 })
	if n := f.taken.Load(); n > 0 {
		t.Errorf("%d were taken", n)
	}
	if !f.Reads(time.Now()) {
		t.Error("it counts as not read")
	}
}
