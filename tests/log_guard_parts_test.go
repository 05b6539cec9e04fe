package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

// part is where the embedded broker keeps a partition.
func part(topic string, partition int) string {
	return filepath.Join("partitions", fmt.Sprintf("%s-%d", topic, partition))
}

// lobby is the partition that holds every message.
func lobby() int { return schema.PartitionOf("lobby", schema.LaptopPartitions) }

// lose empties one partition of the broker, or puts an older copy in its place.
func (d *damaged) lose(partition string, older bool) {
	d.t.Helper()
	d.stopBroker()
	err := os.RemoveAll(filepath.Join(d.dir, partition))
	if err == nil && older {
		err = os.CopyFS(filepath.Join(d.dir, partition), os.DirFS(filepath.Join(d.older, partition)))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.startBroker()
}

// A connector that never wrote to the partition serves nobody there either.
func TestPartitionIsAnOlderCopy(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	d.roles["connector"].end()
	<-d.roles["connector"].ended
	d.start("connector")
	d.ready(everyRole...)
	d.proxy.Cut()
	d.lose(part(schema.TopicEvents, lobby()), true)
	// The projector may wait for ClickHouse before it looks at the log again.
	d.refuses("lost its end", "connector", "chatworker")
}

// Nobody begins a partition that was lost, whether parley.control or ClickHouse
// remembers the log.
func TestPartitionIsEmpty(t *testing.T) {
	t.Parallel()
	still := func(d *damaged) {
		d.t.Helper()
		if _, end, err := d.log().Offsets(soon(d.t), schema.TopicEvents, lobby()); err != nil || end != 0 {
			d.t.Errorf("the lost partition holds %d records, error %v", end, err)
		}
	}
	t.Run("remembered", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		d.lose(part(schema.TopicEvents, lobby()), false)
		d.startAll()
		d.refuses("are empty", everyRole...)
		still(d)
		d.doctor("is empty, and the log of epoch")
	})
	t.Run("forgotten, without ClickHouse", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		if err := admin.DeleteTopic(soon(t), d.log(), schema.TopicControl); err != nil {
			t.Fatal(err)
		}
		d.lose(part(schema.TopicEvents, lobby()), false)
		d.proxy.Cut()
		d.startAll()
		d.waits(everyRole...)
		still(d)
		d.proxy.Restore()
		d.refuses("are empty", "projector", "connector")
		d.waits("chatworker")
		still(d)
		d.doctor("is empty, and the log of epoch")
	})
}
