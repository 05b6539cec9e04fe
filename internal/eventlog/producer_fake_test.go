package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The tests in this file reach into the broker, so they need the fake one.

func TestProduceFollowsItsLeader(t *testing.T) {
	cl := startFake(t, kfake.NumBrokers(3))
	c := cl.client(t)
	topic := newTopic(t, c, 2, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	const records = 300
	for i := range records {
		if i%100 == 50 {
			node := (cl.fake.LeaderFor(topic, 0) + 1) % 3
			if err := cl.fake.MoveTopicPartition(topic, 0, node); err != nil {
				t.Fatal(err)
			}
		}
		for part := range 2 {
			if offset := produceOne(t, p, part, Record{Value: fmt.Append(nil, i)}); offset != int64(i) {
				t.Fatalf("record %d of partition %d was acknowledged at %d", i, part, offset)
			}
		}
	}
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), records) {
		if string(rec.Value) != fmt.Sprint(i) {
			t.Fatalf("offset %d holds record %s", i, rec.Value)
		}
	}
}

func TestDeadLeaderIsReplaced(t *testing.T) {
	cl := startFake(t, kfake.NumBrokers(3))
	c, w := cl.wiredClient(t)
	topic, p := filled(t, c, 1)
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic})
	readAll(t, r, 1)
	for i := int64(1); i < 3; i++ {
		if err := cl.fake.RemoveNode(cl.fake.LeaderFor(topic, 0)); err != nil {
			t.Fatal(err)
		}
		w.cut()
		start := time.Now()
		if offset := produceOne(t, p, 0, Record{}); offset != i {
			t.Errorf("record %d was acknowledged at %d", i, offset)
		}
		readAll(t, r, 1)
		if took := time.Since(start); took > requestTimeout {
			t.Errorf("a dead leader held records up for %v", took)
		}
	}
}

func TestOnePartitionsTroubleDoesNotHoldUpOthers(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic := newTopic(t, c, 2, nil)
	var failures atomic.Int64
	p := newProducer(t, c, ProducerConfig{Topic: topic, OnError: func(err error) {
		if !errors.Is(err, kafka.NotEnoughReplicas) {
			t.Errorf("OnError got %v", err)
		}
		failures.Add(1)
	}})
	fault := cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{0}, Err: kerr.NotEnoughReplicas, Count: -1})
	slow := make(chan ack, 1)
	if err := p.Produce(0, Record{}, func(offset int64, err error) { slow <- ack{offset, err} }); err != nil {
		t.Fatal(err)
	}
	for i := range int64(50) {
		if offset := produceOne(t, p, 1, Record{}); offset != i {
			t.Fatalf("record %d was acknowledged at %d", i, offset)
		}
	}
	start := time.Now()
	if err := fault.Wait(testContext(t), fault.Hits()+5); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("five attempts within %v: no back-off", took)
	}
	select {
	case a := <-slow:
		t.Fatalf("a record whose partition lacks replicas got %+v", a)
	default:
	}
	fault.Remove()
	if a := <-slow; a.err != nil || a.offset != 0 {
		t.Errorf("once healed, the record got %+v", a)
	}
	if failures.Load() == 0 {
		t.Error("OnError was never called")
	}
}

// TestLostSequenceStartsAnew: a broker that forgot the producer, or believes
// that it skipped a batch, makes it take a new identity, once, and go on.
func TestLostSequenceStartsAnew(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.InvalidProducerEpoch} {
		t.Run(code.Message, func(t *testing.T) {
			cl := startFake(t)
			c := cl.client(t)
			topic := newTopic(t, c, 2, nil)
			p := newProducer(t, c, ProducerConfig{Topic: topic})
			produceOne(t, p, 0, Record{})
			produceOne(t, p, 1, Record{})
			before, err := p.identity.get(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{0}, Err: code})
			for i := int64(1); i < 4; i++ {
				for part := range 2 {
					if offset := produceOne(t, p, part, Record{}); offset != i {
						t.Fatalf("record %d of partition %d was acknowledged at %d", i, part, offset)
					}
				}
			}
			after, err := p.identity.get(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			if after.producerID == before.producerID {
				t.Error("the producer kept an identity that the broker does not know")
			}
		})
	}
}

func TestAcknowledgementBelowAnEarlierOneIsNoAcknowledgement(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	for range 3 {
		produceOne(t, p, 0, Record{})
	}
	recreate(t, c, topic)
	done := make(chan error, 1)
	if err := p.Produce(0, Record{}, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrLogReplaced) {
		t.Errorf("a record written to a recreated topic got %v", err)
	}
	if err := p.Produce(0, Record{}, nil); !errors.Is(err, ErrLogReplaced) {
		t.Errorf("the producer goes on: %v", err)
	}
}

func TestSequenceNumbersWrap(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	produceOne(t, p, 0, Record{})

	// From here on the broker only takes notes, because the producer jumps.
	const last = math.MaxInt32
	p.mu.Lock()
	p.byID[0].nextSeq = last // the sender reads it after the next Produce
	p.mu.Unlock()
	var sequences []uint32
	cl.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		batch := req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records
		sequences = append(sequences, binary.BigEndian.Uint32(batch[atSequence:]))
		return acknowledge(req.(*kmsg.ProduceRequest), int64(10*len(sequences))), nil, true
	})
	for range 2 {
		produceOne(t, p, 0, Record{})
	}
	if want := []uint32{last, 0}; !slices.Equal(sequences, want) {
		t.Errorf("sequences %d, want %d", sequences, want)
	}
}

// acknowledge answers a request for one partition.
func acknowledge(req *kmsg.ProduceRequest, offset int64) kmsg.Response {
	res := req.ResponseKind().(*kmsg.ProduceResponse)
	t := kmsg.NewProduceResponseTopic()
	t.Topic = req.Topics[0].Topic
	p := kmsg.NewProduceResponseTopicPartition()
	p.Partition, p.BaseOffset = req.Topics[0].Partitions[0].Partition, offset
	t.Partitions = append(t.Partitions, p)
	res.Topics = append(res.Topics, t)
	return res
}

// TestTimedOutRequestIsNoDuplicate: the broker wrote the batch, but reports that
// it waited too long for its replicas.
func TestTimedOutRequestIsNoDuplicate(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicasAfterAppend, Count: 2})
	for i := range int64(3) {
		if offset := produceOne(t, p, 0, Record{}); offset != i {
			t.Fatalf("record %d was acknowledged at %d", i, offset)
		}
	}
	if _, end, err := c.Offsets(testContext(t), topic, 0); err != nil || end != 3 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
}
