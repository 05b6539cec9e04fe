package eventlog

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/krafttest"
)

// TestRealCompactionIsReadFromEveryOffset lets Apache Kafka compact a log and
// reads what is left from each of its offsets.
func TestRealCompactionIsReadFromEveryOffset(t *testing.T) {
	krafttest.Need(t) // the embedded broker's compaction leaves no holes
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0",
	})
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	const records, keys = 1200, 50
	for i := range records {
		rec := Record{Key: fmt.Append(nil, i%keys), Value: fmt.Append(nil, i)}
		if err := p.Produce(0, rec, nil); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			if err := p.Flush(testContext(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := awaitCompaction(t, c, p, topic, records)
	for from := range last + 1 {
		// Compaction continues, but never removes the newest record of a key.
		newest := make(map[string]string)
		for i := records - keys; i < records; i++ {
			if int64(i) >= from {
				newest[fmt.Sprint(i%keys)] = fmt.Sprint(i)
			}
		}
		previous := from - 1
		for _, rec := range readTo(t, c, topic, from, last) {
			if rec.Offset <= previous {
				t.Fatalf("from %d: offset %d follows %d", from, rec.Offset, previous)
			}
			previous = rec.Offset
			if newest[string(rec.Key)] == string(rec.Value) {
				delete(newest, string(rec.Key))
			}
		}
		if previous != last || len(newest) > 0 {
			t.Fatalf("from %d: read up to %d instead of %d, without %v", from, previous, last, newest)
		}
	}
}

// awaitCompaction keeps the log's last segment rolling until fewer records than
// before are left, and returns the offset of the last one.
func awaitCompaction(t *testing.T, c *Client, p *Producer, topic string, before int) (last int64) {
	t.Helper()
	roll := time.NewTicker(200 * time.Millisecond)
	defer roll.Stop()
	for deadline := testContext(t); deadline.Err() == nil; <-roll.C {
		last = produceOne(t, p, 0, Record{Key: []byte("roll")})
		if len(readTo(t, c, topic, 0, last)) < before {
			return last
		}
	}
	t.Fatal("the log was not compacted")
	return 0
}

// readTo reads a partition from one offset to another, both included.
func readTo(t *testing.T, c *Client, topic string, from, last int64) (records []Record) {
	t.Helper()
	err := c.ReadRange(testContext(t), topic, 0, from, last+1, 0, func(rec Record) error {
		records = append(records, rec)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}
