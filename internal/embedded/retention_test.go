package embedded

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// topicOf starts a broker with parley.push as it is created, but for what
// settings change, and returns a client of it.
func topicOf(t *testing.T, settings map[string]string) (client *kafka.Client, dir string) {
	t.Helper()
	dir = t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	b, err := StartBroker(ctx, BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir, Open: true, retainEvery: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	transport := &kafka.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	client = &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: transport}
	topic := kafka.TopicConfig{Topic: schema.TopicPush, NumPartitions: 1, ReplicationFactor: 1}
	for _, created := range schema.Topics(1) {
		if created.Name != schema.TopicPush {
			continue
		}
		if created.Config["retention.bytes"] != strconv.Itoa(4<<30) || created.Config["retention.ms"] != "86400000" {
			t.Errorf("%s is created with %v", created.Name, created.Config)
		}
		for name, value := range created.Config {
			if instead := settings[name]; instead != "" {
				value = instead
			}
			topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
	}
	if s := settings["segment.bytes"]; s != "" {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: "segment.bytes", ConfigValue: s})
	}
	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err != nil || created.Errors[schema.TopicPush] != nil {
		t.Fatal(err, created)
	}
	return client, dir
}

// push appends one batch of a record of that many bytes.
func push(t *testing.T, client *kafka.Client, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic: schema.TopicPush, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: time.Now(), Value: kafka.NewBytes(make([]byte, size))}),
	})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
}

// The embedded broker keeps as many pushes as the topic is set to, and one segment,
// and deletes the rest from its disk.
//
//parley:bound `parley.push`
func TestPushesAreRetained(t *testing.T) {
	const retained, segment, size = 2 << 20, 1 << 20, 512 << 10
	client, dir := topicOf(t, map[string]string{"retention.bytes": strconv.Itoa(retained), "segment.bytes": strconv.Itoa(segment)})
	for range 10 * retained / size {
		push(t, client, size)
	}
	onDisk := func() (bytes int64) {
		err := filepath.WalkDir(filepath.Join(dir, "partitions"), func(path string, d fs.DirEntry, err error) error {
			if info, gone := d.Info(); gone == nil && filepath.Ext(path) == ".dat" {
				bytes += info.Size()
			}
			return nil // what is deleted meanwhile is not there
		})
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	const most = retained + 2*segment
	await.That(t, fmt.Sprint(most, " bytes are on disk at most"), func() bool { return onDisk() <= most })
	if n := onDisk(); n < retained/2 {
		t.Errorf("%d bytes are on disk of the %d that are to be kept", n, retained)
	}
}

// What the embedded broker knows of a batch takes as much memory as
// docs/architecture.md says.
//
//parley:bound the embedded broker's index
func TestIndexTakesWhatItMay(t *testing.T) {
	const batches, reckoned = 40_000, 100
	client, _ := topicOf(t, nil)
	push(t, client, 1)
	before := inUse()
	for range batches {
		push(t, client, 1)
	}
	each := (inUse() - before) / batches
	t.Logf("%d bytes a batch", each)
	if each > reckoned {
		t.Errorf("a batch takes %d bytes of memory, at most %d are reckoned with", each, reckoned)
	}
}
