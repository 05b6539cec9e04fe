package epoch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { krafttest.Main(m) }

// With the settings that Parley creates it with, Apache Kafka compacts
// parley.control before it is more than roles read when they start, and what
// they look for there is found.
func TestControlIsCompactedInTime(t *testing.T) {
	krafttest.Need(t)
	ctx := t.Context()
	c, err := eventlog.New(eventlog.Config{Brokers: []string{krafttest.Broker(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	log, err := epoch.Open(ctx, c, epoch.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	producer := c.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	t.Cleanup(func() { producer.Close() })
	// Beats of twenty connectors, larger than beats are, for more than a segment.
	const connectors, beats, size = 20, 4000, 20 << 10
	for i := range beats {
		key := schema.ControlKeyBeat(fmt.Sprint("c", i%connectors))
		for {
			err := producer.Produce(0, eventlog.Record{Key: []byte(key), Value: make([]byte, size)}, nil)
			if err == nil {
				break
			}
			if err := producer.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := producer.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	left := 0
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		left = 0
		found := map[string]bool{}
		err := epoch.ReadControl(ctx, c, func(r eventlog.Record) error {
			left += len(r.Value)
			found[string(r.Key)] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < connectors+1 || !found[schema.ControlKeyEpoch] {
			t.Fatalf("%d keys are left", len(found))
		}
		if left < beats*size*3/4 { // of what is there, the newest segment is never compacted
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d bytes are left: nothing was compacted", left, beats*size)
		}
	}
	t.Logf("%d of %d MiB are left", left>>20, beats*size>>20)
	if again, err := epoch.Open(ctx, c, epoch.Options{}); err != nil || again.Epoch != log.Epoch {
		t.Errorf("opened again, it is epoch %s, %v", again.Epoch, err)
	}
}
