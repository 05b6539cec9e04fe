package eventlog

import (
	"errors"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produced is what became of a record.
func produced(t *testing.T, p *Producer, rec Record) error {
	t.Helper()
	done := make(chan error, 1)
	if err := p.Produce(0, rec, func(_ int64, err error) { done <- err }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-testContext(t).Done():
		t.Fatal("nothing became of a record")
		return nil
	}
}

// What is fleeting is written with the leader's acknowledgement, under no identity.
func TestFleetingIsWritten(t *testing.T) {
	cl := startCluster(t)
	c := cl.client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic, Fleeting: true})
	for _, value := range []string{"a", "b", "c"} {
		if err := produced(t, p, Record{Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 3) {
		if string(rec.Value) != string("abc"[i]) {
			t.Errorf("offset %d holds %s", i, rec.Value)
		}
	}
}

// What fails is dropped, also where there is no such topic, and the next is written as
// soon as it can be.
func TestFleetingIsNotTriedAgain(t *testing.T) {
	cl := startFake(t)
	var requests int
	c := cl.client(t)
	topic := newTopic(t, c, 1, nil)
	cl.fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		requests++
		if acks := r.(*kmsg.ProduceRequest).Acks; acks != 1 {
			t.Errorf("it asks for %d acknowledgements", acks)
		}
		return nil, nil, false
	})
	p := newProducer(t, c, ProducerConfig{Topic: topic, Fleeting: true})
	fault := cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	if err := produced(t, p, Record{}); !errors.Is(err, kafka.NotLeaderForPartition) {
		t.Errorf("the record is refused with %v", err)
	}
	fault.Remove()
	if err := produced(t, p, Record{}); err != nil {
		t.Errorf("once it is well: %v", err)
	}
	if requests > 2 {
		t.Errorf("there were %d requests for two records", requests)
	}
	nowhere := newProducer(t, c, ProducerConfig{Topic: "nowhere", Fleeting: true})
	if err := produced(t, nowhere, Record{}); err == nil {
		t.Error("a topic that is not there takes a record")
	}
	nowhere.mu.Lock()
	defer nowhere.mu.Unlock()
	if nowhere.queued != 0 || len(nowhere.partitions) != 0 {
		t.Errorf("%d bytes of %d partitions are still queued", nowhere.queued, len(nowhere.partitions))
	}
}
