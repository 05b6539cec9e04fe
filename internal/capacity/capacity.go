// Package capacity watches what ends quietly: the free space of the disks that
// Kafka and ClickHouse write to, and replicas that do not keep up. It checks
// every minute and shows the results as gauges; a server that does not answer
// has no value.
package capacity

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/schema"
)

const (
	every = time.Minute
	// patience bounds the check of one server.
	patience = 20 * time.Second
)

// values are the newest of a gauge, by its label. The zero value is ready for
// use; it is safe for concurrent use.
type values struct {
	mu      sync.Mutex
	byLabel map[string]float64
}

func (v *values) set(all map[string]float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.byLabel = all
}

func (v *values) each(yield func(string, float64)) {
	v.mu.Lock()
	all := maps.Clone(v.byLabel)
	v.mu.Unlock()
	for label, value := range all {
		yield(label, value)
	}
}

// Kafka is what is known of a cluster. The zero value knows nothing; it is safe
// for concurrent use.
type Kafka struct{ free, behind values }

// Gauges adds the gauges of the cluster to a group.
func (k *Kafka) Gauges(g *meter.Gauges) {
	g.AddBy("parley.kafka.disk.free", "1", "Free share of the fullest disk of a broker, from 0 to 1; NaN where the broker does not report it. The worker that keeps the leases checks every minute.", "broker", k.free.each)
	g.AddBy("parley.kafka.under_replicated", "{partition}", "Partitions of a topic of which a replica is not in sync. The worker that keeps the leases checks every minute.", "topic", k.behind.each)
}

// Watch checks every minute until ctx ends, and then drops the values.
func (k *Kafka) Watch(ctx context.Context, client *eventlog.Client, log *slog.Logger) {
	defer k.free.set(nil)
	defer k.behind.set(nil)
	repeat(ctx, func() {
		k.behind.set(underReplicated(ctx, client, log))
		k.free.set(brokerDisks(ctx, client, log))
	})
}

// repeat calls look now and every minute until ctx ends.
func repeat(ctx context.Context, look func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func underReplicated(ctx context.Context, client *eventlog.Client, log *slog.Logger) map[string]float64 {
	found := map[string]float64{}
	for _, topic := range schema.Topics(1) {
		limited, cancel := context.WithTimeout(ctx, patience)
		partitions, err := admin.Partitions(limited, client, topic.Name)
		cancel()
		if err != nil {
			log.Debug("the replicas of a topic are not known", "topic", topic.Name, "error", err)
			continue
		}
		found[topic.Name] = float64(missing(partitions))
	}
	return found
}

// missing is the number of partitions of which a replica is not in sync.
func missing(partitions []admin.Partition) (n int) {
	for _, p := range partitions {
		if len(p.InSync) < len(p.Replicas) {
			n++
		}
	}
	return n
}

func brokerDisks(ctx context.Context, client *eventlog.Client, log *slog.Logger) map[string]float64 {
	found := map[string]float64{}
	limited, cancel := context.WithTimeout(ctx, patience)
	brokers, err := admin.Brokers(limited, client)
	cancel()
	if err != nil {
		log.Debug("the brokers are not known", "error", err)
	}
	for _, id := range brokers {
		limited, cancel := context.WithTimeout(ctx, patience)
		disks, err := admin.Disks(limited, client, id)
		cancel()
		if err != nil {
			log.Debug("a broker does not report its disks", "broker", id, "error", err)
		}
		found[strconv.Itoa(id)] = fullest(disks)
	}
	return found
}

// fullest is the free share of the fullest disk, NaN where no size is known.
func fullest(disks []admin.Disk) float64 {
	least := math.NaN() // which nothing is below
	for _, d := range disks {
		if share := float64(d.Free) / float64(d.Total); d.Total > 0 && !(share >= least) {
			least = share
		}
	}
	return least
}

// ClickHouse is what is known of a database. The zero value knows nothing; it
// is safe for concurrent use.
type ClickHouse struct{ free values }

// Gauges adds the gauges of the database to a group.
func (c *ClickHouse) Gauges(g *meter.Gauges) {
	g.AddBy("parley.clickhouse.disk.free", "1", "Free share of a disk of the ClickHouse server that was asked, from 0 to 1, by the disk's name. A projector checks every minute.", "disk", c.free.each)
}

// Watch checks every minute until ctx ends, and then drops the values.
func (c *ClickHouse) Watch(ctx context.Context, db *clickhouse.DB, log *slog.Logger) {
	defer c.free.set(nil)
	repeat(ctx, func() {
		limited, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		disks, err := db.Disks(limited)
		if err != nil {
			log.Debug("ClickHouse does not report its disks", "error", err)
		}
		found := map[string]float64{}
		for _, d := range disks {
			found[d.Name] = float64(d.Free) / float64(d.Total)
		}
		c.free.set(found)
	})
}
