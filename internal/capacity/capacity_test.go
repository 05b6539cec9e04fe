package capacity

import (
	"context"
	"log/slog"
	"math"
	"testing"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// What a watch finds is there while it runs, and forgotten with it.
func TestKafkaIsWatched(t *testing.T) {
	client, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}, ClientID: "capacity"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := epoch.Open(t.Context(), client, epoch.Options{Partitions: 3, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	var k Kafka
	while(t, func(ctx context.Context) { k.Watch(ctx, client, slog.New(slog.DiscardHandler)) }, func() bool {
		return len(now(&k.behind)) > 0 && len(now(&k.free)) > 0
	}, func() {
		for _, topic := range schema.Topics(3) {
			if n, known := now(&k.behind)[topic.Name]; !known || n != 0 {
				t.Errorf("%s: %v partitions miss a replica, known: %v", topic.Name, n, known)
			}
		}
		for broker, free := range now(&k.free) {
			if !math.IsNaN(free) && (free <= 0 || free > 1) {
				t.Errorf("of broker %s a share of %v is free", broker, free)
			}
		}
	})
	if len(now(&k.free)) > 0 || len(now(&k.behind)) > 0 {
		t.Error("who does not watch shows what was")
	}
}

func TestClickHouseIsWatched(t *testing.T) {
	db, err := clickhouse.Open(t.Context(), embeddedtest.ClickHouse(t), clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	var c ClickHouse
	while(t, func(ctx context.Context) { c.Watch(ctx, db, slog.New(slog.DiscardHandler)) }, func() bool {
		return len(now(&c.free)) > 0
	}, func() {
		if free := now(&c.free)["default"]; free <= 0 || free > 1 {
			t.Errorf("a share of %v is free", free)
		}
	})
	if len(now(&c.free)) > 0 {
		t.Error("who does not watch shows what was")
	}
}

// A partition misses a replica where fewer are in sync than it has.
func TestMissingReplicasAreCounted(t *testing.T) {
	n := missing([]admin.Partition{
		{Replicas: []int32{1, 2, 3}, InSync: []int32{1, 2, 3}},
		{Replicas: []int32{1, 2, 3}, InSync: []int32{1, 3}},
		{Replicas: []int32{1}, InSync: nil},
	})
	if n != 2 {
		t.Errorf("%d are counted, want 2", n)
	}
}

// The fullest disk of a broker counts, and a size that is not known does not.
func TestFullestDiskCounts(t *testing.T) {
	if got := fullest([]admin.Disk{{Free: 60, Total: 100}, {Free: 10, Total: 100}, {Free: 0, Total: -1}}); got != 0.1 {
		t.Errorf("%v is free, want 0.1", got)
	}
	if got := fullest([]admin.Disk{{Total: -1}}); !math.IsNaN(got) {
		t.Errorf("%v is free of a size that is not known", got)
	}
}

// while calls check when ready, with watch running, and waits for its end.
func while(t *testing.T, watch func(context.Context), ready func() bool, check func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); watch(ctx) }()
	defer func() { cancel(); <-done }()
	await.That(t, "something is found", ready)
	check()
}

func now(v *values) map[string]float64 {
	found := map[string]float64{}
	v.each(func(label string, value float64) { found[label] = value })
	return found
}
