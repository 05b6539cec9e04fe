package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func TestProduceKeepsTheOrderOfCalls(t *testing.T) {
	c := startCluster(t).client(t)
	const partitions, each = 3, 2000
	topic := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})

	offsets := make([][]int64, partitions)
	for i := range each {
		for part := range partitions {
			err := p.Produce(part, Record{Value: fmt.Appendf(nil, "%d", i)}, func(offset int64, err error) {
				if err != nil {
					t.Error(err)
				}
				offsets[part] = append(offsets[part], offset)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	for part := range partitions {
		if len(offsets[part]) != each {
			t.Fatalf("partition %d: %d callbacks for %d records", part, len(offsets[part]), each)
		}
		for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic, Partition: part}), each) {
			if want := fmt.Sprint(i); string(rec.Value) != want || rec.Offset != int64(i) || offsets[part][i] != rec.Offset {
				t.Fatalf("partition %d, record %d: offset %d, acknowledged as %d, holds %q", part, i, rec.Offset, offsets[part][i], rec.Value)
			}
		}
	}
}

func TestRecordsArriveAsTheyWere(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	sent := []Record{
		{Key: []byte("k"), Value: []byte("v")},
		{Key: []byte("tombstone")},
		{Value: []byte{}},
		{Key: []byte{}, Value: []byte("v"), Headers: []Header{{Key: "a", Value: []byte("1")}, {Key: "b"}, {Value: []byte{}}}},
	}
	before := time.Now().Truncate(time.Millisecond)
	for _, rec := range sent {
		produceOne(t, p, 0, rec)
	}
	for i, got := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), len(sent)) {
		if got.Time.Before(before) || got.Time.After(time.Now()) {
			t.Errorf("record %d is stamped %v, which is not when it was sent", i, got.Time)
		}
		want := sent[i]
		want.Offset, want.Time = int64(i), got.Time
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("record %d:\n got %#v\nwant %#v", i, got, want)
		}
	}
}

func TestProduceCopiesTheRecord(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	release := w.hold()
	value := []byte("before")
	if err := p.Produce(0, Record{Value: value}, nil); err != nil {
		t.Fatal(err)
	}
	copy(value, "after!")
	release()
	if got := readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 1)[0]; string(got.Value) != "before" {
		t.Errorf("the log holds %q", got.Value)
	}
}

func TestLostResponseIsNoDuplicate(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	produceOne(t, p, 0, Record{Value: []byte("0")})

	w.loseResponses(3)
	before := w.sent(protocol.Produce)
	const records = 20
	for i := 1; i < records; i++ {
		if offset := produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)}); offset != int64(i) {
			t.Fatalf("record %d was acknowledged at offset %d", i, offset)
		}
	}
	if sent := w.sent(protocol.Produce) - before; sent != records-1+3 {
		t.Errorf("%d requests for %d records and 3 lost responses", sent, records-1)
	}
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), records) {
		if string(rec.Value) != fmt.Sprint(i) {
			t.Fatalf("offset %d holds record %s", i, rec.Value)
		}
	}
	if _, end, err := c.Offsets(testContext(t), topic, 0); err != nil || end != records {
		t.Errorf("the log ends at %d, %v; want %d", end, err, records)
	}
}

func TestRetryCarriesOnlyWhatWasSentBefore(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	produceOne(t, p, 0, Record{Value: []byte("0")})

	w.loseResponses(1)
	release := w.hold()
	defer release()
	var offsets []int64
	produce := func(value string) {
		if err := p.Produce(0, Record{Value: []byte(value)}, func(offset int64, _ error) { offsets = append(offsets, offset) }); err != nil {
			t.Fatal(err)
		}
	}
	produce("1")
	<-w.waiting // its request is on the way, and its response will be lost
	produce("2")
	produce("3")
	release()
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if want := []int64{1, 2, 3}; !slices.Equal(offsets, want) {
		t.Errorf("acknowledged at %d, want %d", offsets, want)
	}
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 4) {
		if string(rec.Value) != fmt.Sprint(i) {
			t.Errorf("offset %d holds record %s", i, rec.Value)
		}
	}
	if _, end, err := c.Offsets(testContext(t), topic, 0); err != nil || end != 4 {
		t.Errorf("the log ends at %d, %v", end, err)
	}
}

func TestWhatQueuesDuringARequestLeavesInTheNext(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	const partitions, each = 4, 500
	topic := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	for part := range partitions { // so that every leader is known
		produceOne(t, p, part, Record{})
	}
	before := w.sent(protocol.Produce)
	release := w.hold()
	defer release()
	if err := p.Produce(0, Record{}, nil); err != nil {
		t.Fatal(err)
	}
	<-w.waiting
	for range each {
		for part := range partitions {
			if err := p.Produce(part, Record{Value: []byte("queued")}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if oldest, n := p.Unacked(); n != partitions*each+1 || oldest.IsZero() {
		t.Errorf("Unacked says %d since %v", n, oldest)
	}
	release()
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	brokers := 1
	if res, err := c.kafka.Metadata(testContext(t), &kafka.MetadataRequest{}); err == nil {
		brokers = len(res.Brokers)
	}
	if sent := w.sent(protocol.Produce) - before; sent > 2*brokers {
		t.Errorf("%d requests, want at most two for each of %d brokers", sent, brokers)
	}
	if oldest, n := p.Unacked(); n != 0 || !oldest.IsZero() {
		t.Errorf("after Flush, Unacked says %d since %v", n, oldest)
	}
}

func TestNewerOwnerFencesOlder(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, nil)
	id := topic + "-owner"
	older := newProducer(t, c, ProducerConfig{Topic: topic, TransactionalID: id})
	if err := older.Init(testContext(t)); err != nil {
		t.Fatal(err)
	}
	produceOne(t, older, 0, Record{Value: []byte("older")})

	newer := newProducer(t, c, ProducerConfig{Topic: topic, TransactionalID: id})
	if err := newer.Init(testContext(t)); err != nil {
		t.Fatal(err)
	}
	produceOne(t, newer, 0, Record{Value: []byte("claim")})

	done := make(chan error, 1)
	if err := older.Produce(0, Record{Value: []byte("zombie")}, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrFenced) {
		t.Errorf("the zombie's record got %v", err)
	}
	if err := older.Produce(0, Record{}, nil); !errors.Is(err, ErrFenced) {
		t.Errorf("the zombie may produce on: %v", err)
	}
	if err := older.Flush(testContext(t)); !errors.Is(err, ErrFenced) {
		t.Errorf("the zombie's Flush says %v", err)
	}
	produceOne(t, newer, 0, Record{Value: []byte("newer")})
	var values []string
	for _, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 3) {
		values = append(values, string(rec.Value))
	}
	if want := []string{"older", "claim", "newer"}; !slices.Equal(values, want) {
		t.Errorf("the log holds %q, want %q", values, want)
	}
}

func TestRenewedOwnerKeepsWritingAndFences(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 2, nil)
	id := topic + "-owner"
	p := newProducer(t, c, ProducerConfig{Topic: topic, TransactionalID: id})
	produceOne(t, p, 0, Record{})
	p.renewIdentity()
	for i := int64(1); i < 4; i++ {
		if offset := produceOne(t, p, 0, Record{}); offset != i {
			t.Fatalf("record %d was acknowledged at %d", i, offset)
		}
	}
	produceOne(t, p, 1, Record{})
	newer := newProducer(t, c, ProducerConfig{Topic: topic, TransactionalID: id})
	produceOne(t, newer, 0, Record{})
	done := make(chan error, 1)
	if err := p.Produce(0, Record{}, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrFenced) {
		t.Errorf("after a renewal the older owner got %v", err)
	}
}

func TestCloseDropsWhatIsQueued(t *testing.T) {
	c, w := startCluster(t).wiredClient(t)
	topic := newTopic(t, c, 2, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	release := w.hold()
	defer release()
	const each = 100
	var mu sync.Mutex
	called := make([][]int, 2)
	for i := range each {
		for part := range 2 {
			err := p.Produce(part, Record{}, func(_ int64, err error) {
				mu.Lock()
				defer mu.Unlock()
				if !errors.Is(err, ErrClosed) {
					t.Errorf("callback %d got %v", i, err)
				}
				called[part] = append(called[part], i)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	<-w.waiting
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for part := range 2 {
		if len(called[part]) != each || !slices.IsSorted(called[part]) {
			t.Errorf("partition %d: callbacks %v", part, called[part])
		}
	}
	if err := p.Produce(0, Record{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Produce after Close says %v", err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("a second Close says %v", err)
	}
}

func TestDrainWritesWhatIsQueued(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, nil)
	p := c.NewProducer(ProducerConfig{Topic: topic})
	const records = 1000
	acked := 0
	for range records {
		if err := p.Produce(0, Record{}, func(_ int64, err error) {
			if err == nil {
				acked++
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Drain(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if acked != records {
		t.Errorf("%d of %d records were acknowledged", acked, records)
	}
}

func TestTooLargeRecordIsRefusedAlone(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, map[string]string{"max.message.bytes": "2000"})
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	if err := p.Produce(0, Record{Value: make([]byte, 1<<20)}, nil); !errors.Is(err, ErrRecordTooLarge) {
		t.Errorf("a record beyond a batch got %v", err)
	}
	produceOne(t, p, 0, Record{})
	done := make(chan error, 1)
	if err := p.Produce(0, Record{Value: make([]byte, 3000)}, func(_ int64, err error) { done <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, kafka.MessageSizeTooLarge) {
		t.Errorf("a record beyond the topic's limit got %v", err)
	}
	if offset := produceOne(t, p, 0, Record{}); offset != 1 {
		t.Errorf("the record after it was acknowledged at %d", offset)
	}
}
