package history

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// BenchmarkNewest reads the newest 50 messages of a channel of 1,000,000, all
// of them in ClickHouse, among 1,000,000 of other channels.
func BenchmarkNewest(b *testing.B) {
	const size = 1_000_000
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dsn := embeddedtest.ClickHouse(b)
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(b)}})
	if err != nil {
		b.Fatal(err)
	}
	defer kafka.Close()
	log, err := epoch.Open(ctx, kafka, epoch.Options{})
	if err != nil {
		b.Fatal(err)
	}
	db, err := clickhouse.Open(ctx, dsn, clickhouse.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	sql := clickhousetest.Connect(b, dsn)
	partition := schema.PartitionOf("lobby", log.Partitions)
	if err := db.AddEpoch(ctx, clickhouse.Epoch{Name: log.Epoch, Partitions: log.Partitions}); err != nil {
		b.Fatal(err)
	}
	for part := range 20 {
		err := sql.Exec(ctx, `INSERT INTO events_1 (epoch, partition, channel, seq, kind, user, id, body, session, connector, time, version)
			SELECT ?, ?, if(number % 2 = 0, 'lobby', concat('room', toString(number % 1000))), number + 1 + ?, 'chat', concat('user', toString(number % 100)),
				toString(generateUUIDv4()), randomPrintableASCII(100), 's', 'c', now64(3), 1
			FROM numbers(?)`, log.Epoch, partition, part*size/10, size/10)
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := sql.Exec(ctx, `INSERT INTO watermarks_1 VALUES (?, ?, ?, 0, 1, now())`, log.Epoch, partition, 2*size); err != nil {
		b.Fatal(err)
	}
	r, err := New(Config{DSN: dsn, Log: kafka, Epoch: log})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for _, q := range []struct {
		name string
		Query
	}{
		{"newest", Query{}},
		{"before", Query{Mode: Before, Before: size / 2}},
		{"after", Query{Mode: After, After: size}},
		{"around", Query{Mode: Around, Around: size}},
	} {
		b.Run(q.name, func(b *testing.B) {
			q.Channel, q.User, q.Limit, q.End = "lobby", "user1", 50, 2*size+1
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				started := time.Now()
				page, err := r.Read(ctx, q.Query)
				if err != nil || len(page.Messages) != 50 {
					b.Fatal(len(page.Messages), err)
				}
				times = append(times, time.Since(started))
			}
			report(b, times)
		})
	}
}

// report adds the median and the 99th percentile.
func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100])/1e6, "p99-ms")
}
