package tests

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func needKcat(t *testing.T) string {
	t.Helper()
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("kcat is not installed")
	}
	return kcat
}

// What changes messages has its channel as the key, as messages have, so that stock
// tools see where it belongs.
func TestKcatSeesTheChannelOfChanges(t *testing.T) {
	kcat := needKcat(t)
	c := newCluster(t)
	c.worker()
	ada := enter(t, c.connector(nil).addr, "ada")
	ada.join("späti ☕")
	seq := ada.chat("späti ☕", "hello").Seq
	ada.call(rpc.MethodEdit, rpc.EditParams{Channel: "späti ☕", Seq: seq, Body: "better"}, nil)
	ada.call(rpc.MethodReact, rpc.ReactParams{Channel: "späti ☕", Seq: seq, Name: "👍"}, nil)
	ada.call(rpc.MethodDelete, rpc.DeleteParams{Channel: "späti ☕", Seq: seq}, nil)
	out, err := exec.CommandContext(soon(t), kcat, "-b", c.kafka, "-C", "-t", schema.TopicEvents, "-o", "beginning", "-e", "-q", "-f", "%p %k\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	where := fmt.Sprintf("%d späti ☕\n", schema.PartitionOf("späti ☕", schema.LaptopPartitions))
	if n := strings.Count(string(out), where); n != 5 {
		t.Errorf("%d records are in the channel's partition under its name, want a join, a message, an edit, a reaction and a deletion:\n%s", n, out)
	}
}

// A client of Kafka that is not ours reads what we write, to the byte.
func TestKcatReadsOurRecords(t *testing.T) {
	for name, compress := range map[string]bool{"plain": false, "compressed": true} {
		t.Run(name, func(t *testing.T) { kcatReadsOurRecords(t, compress) })
	}
}

func kcatReadsOurRecords(t *testing.T, compress bool) {
	kcat := needKcat(t)
	const topic = "foreign"
	addr := embeddedtest.Kafka(t)
	client, err := eventlog.New(eventlog.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := admin.EnsureTopics(soon(t), client, []admin.Topic{{Name: topic, Partitions: 1}}); err != nil {
		t.Fatal(err)
	}
	producer := client.NewProducer(eventlog.ProducerConfig{Topic: topic, Compress: compress})
	defer producer.Close()
	for _, value := range []string{"one", "späti ☕", strings.Repeat("long", 10_000)} {
		rec := eventlog.Record{
			Key: []byte("key of " + value[:2]), Value: []byte(value),
			Headers: []eventlog.Header{{Key: "traceparent", Value: []byte("00-" + value[:2])}, {Key: "empty"}},
		}
		if err := producer.Produce(0, rec, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(soon(t), kcat, "-b", addr, "-C", "-t", topic, "-o", "beginning", "-e", "-J", "-q").Output()
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var r struct {
			Offset       int64
			Key, Payload string
			Headers      []any
		}
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		short := r.Payload[:2]
		if r.Offset != int64(len(read)) || r.Key != "key of "+short || len(r.Headers) != 4 ||
			r.Headers[0] != "traceparent" || r.Headers[1] != "00-"+short || r.Headers[2] != "empty" {
			t.Errorf("kcat reads offset %d, key %q, headers %v", r.Offset, r.Key, r.Headers)
		}
		read = append(read, r.Payload)
	}
	if len(read) != 3 || read[1] != "späti ☕" || len(read[2]) != 40_000 {
		t.Errorf("kcat reads %d records: %.100q", len(read), read)
	}
}
