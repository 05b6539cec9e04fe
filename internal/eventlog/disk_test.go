package eventlog

import (
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A broker that could not write a batch may have noted its sequence numbers all
// the same, and then takes the retry for a repeat. What is acknowledged is in
// the log nevertheless.
func TestFailedWriteIsNotAcknowledgedLater(t *testing.T) {
	for name, txID := range map[string]string{"by anyone": "", "by an owner": "owner"} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			c := startFake(t, kfake.DataDir(data)).client(t)
			topic := newTopic(t, c, 1, nil)
			// A file where the partition's folder would be fails every write to it.
			blocked := filepath.Join(data, "partitions", topic+"-0")
			if err := os.MkdirAll(filepath.Dir(blocked), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(blocked, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var failures atomic.Int64
			p := newProducer(t, c, ProducerConfig{Topic: topic, TransactionalID: txID, OnError: func(error) { failures.Add(1) }})
			acks := make(chan ack, 3)
			for _, value := range []string{"one", "two", "three"} {
				if err := p.Produce(0, Record{Value: []byte(value)}, func(offset int64, err error) { acks <- ack{offset, err} }); err != nil {
					t.Fatal(err)
				}
			}
			for failures.Load() < 3 {
				select {
				case a := <-acks:
					t.Fatalf("acknowledged while nothing can be written: %+v", a)
				case <-time.After(time.Millisecond):
				}
			}
			if err := os.Remove(blocked); err != nil {
				t.Fatal(err)
			}
			for i := range int64(3) {
				if a := <-acks; a.err != nil || a.offset != i {
					t.Fatalf("record %d: %+v", i, a)
				}
			}
			var values []string
			for _, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 3) {
				values = append(values, string(rec.Value))
			}
			if !slices.Equal(values, []string{"one", "two", "three"}) {
				t.Errorf("the log holds %q", values)
			}
		})
	}
}
