package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/testing/await"
)

// filled returns a topic with one partition whose records hold their offset.
func filled(t testing.TB, c *Client, records int) (string, *Producer) {
	t.Helper()
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	for i := range records {
		if err := p.Produce(0, Record{Value: fmt.Append(nil, i)}, nil); err != nil {
			t.Fatal(err)
		}
		if i%7 == 6 { // many batches
			if err := p.Flush(testContext(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return topic, p
}

func TestReadFromEveryOffset(t *testing.T) {
	c := startCluster(t).client(t)
	const records = 40
	topic, p := filled(t, c, records)
	for from := range int64(records) {
		r := newReader(t, c, ReaderConfig{Topic: topic, Offset: from})
		for i, rec := range readAll(t, r, int(records-from)) {
			if want := from + int64(i); rec.Offset != want || string(rec.Value) != fmt.Sprint(want) {
				t.Fatalf("from %d: record %d has offset %d and holds %s", from, i, rec.Offset, rec.Value)
			}
		}
	}
	r := newReader(t, c, ReaderConfig{Topic: topic, Offset: records})
	produceOne(t, p, 0, Record{})
	batch, err := r.Next(testContext(t))
	if err != nil || len(batch.Records) != 1 || batch.NextOffset != records+1 || batch.End != records+1 {
		t.Errorf("from the end: %+v, %v", batch, err)
	}
}

func TestReadInSmallFetches(t *testing.T) {
	c := startCluster(t).client(t)
	const records = 100
	topic, _ := filled(t, c, records)
	r := newReader(t, c, ReaderConfig{Topic: topic, MaxBytes: 1})
	for i, rec := range readAll(t, r, records) {
		if rec.Offset != int64(i) {
			t.Fatalf("record %d has offset %d", i, rec.Offset)
		}
	}
}

func TestNextReturnsAtOnceWhenItsContextEnds(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 1)
	r := newReader(t, c, ReaderConfig{Topic: topic, Offset: 1, MaxWait: 2 * await.Limit})
	ctx, cancel := context.WithCancel(testContext(t))
	waiting := time.AfterFunc(100*time.Millisecond, cancel)
	defer waiting.Stop()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next says %v", err)
	}
	produceOne(t, p, 0, Record{Value: []byte("later")})
	if rec := readAll(t, r, 1)[0]; string(rec.Value) != "later" {
		t.Errorf("read %q", rec.Value)
	}
}

func TestCloseEndsNext(t *testing.T) {
	c := startCluster(t).client(t)
	topic, _ := filled(t, c, 1)
	r := newReader(t, c, ReaderConfig{Topic: topic, Offset: 1, MaxWait: 2 * await.Limit})
	ended := make(chan error, 1)
	go func() {
		_, err := r.Next(context.Background())
		ended <- err
	}()
	r.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, ErrClosed) {
			t.Errorf("Next says %v", err)
		}
	case <-testContext(t).Done():
		t.Error("Next goes on")
	}
	if _, err := r.Next(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("a later Next says %v", err)
	}
}

func TestOffsetOutOfRange(t *testing.T) {
	c := startCluster(t).client(t)
	topic, _ := filled(t, c, 10)
	for range 2 { // the error stays
		r := newReader(t, c, ReaderConfig{Topic: topic, Offset: 11})
		_, err := r.Next(testContext(t))
		var outside *OffsetError
		if !errors.As(err, &outside) {
			t.Fatalf("beyond the end: %v", err)
		}
		if want := (OffsetError{topic, 0, 11, 0, 10}); *outside != want {
			t.Errorf("got %+v, want %+v", *outside, want)
		}
	}
}

func TestReadSurvivesBrokenConnections(t *testing.T) {
	for _, own := range []bool{false, true} {
		readSurvivesBrokenConnections(t, own)
	}
}

func readSurvivesBrokenConnections(t *testing.T, own bool) {
	c, w := startCluster(t).wiredClient(t)
	topic, p := filled(t, c, 1)
	calls := 0
	r := newReader(t, c, ReaderConfig{Own: own, Topic: topic, OnReconnect: func(context.Context) error {
		calls++
		return nil
	}})
	for i := range 5 {
		before := calls
		if i > 0 {
			produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)})
		}
		if rec := readAll(t, r, 1)[0]; string(rec.Value) != fmt.Sprint(i) {
			t.Fatalf("read %s, want %d", rec.Value, i)
		}
		if calls == before {
			t.Errorf("record %d was read over a new connection without a call of OnReconnect", i)
		}
		w.cut()
	}
}

func TestOnReconnectEndsTheReader(t *testing.T) {
	c := startCluster(t).client(t)
	topic, _ := filled(t, c, 1)
	stop := errors.New("another log")
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic, OnReconnect: func(context.Context) error { return stop }})
	for range 2 {
		if batch, err := r.Next(testContext(t)); err != stop || len(batch.Records) != 0 {
			t.Errorf("got %d records and %v", len(batch.Records), err)
		}
	}
}

func TestRecreatedTopicIsNotRead(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 10)
	r := newReader(t, c, ReaderConfig{Topic: topic})
	readAll(t, r, 10)
	p.Close()
	recreate(t, c, topic)
	longer := newProducer(t, c, ProducerConfig{Topic: topic})
	for range 20 { // longer than what was read, so that the offset exists
		produceOne(t, longer, 0, Record{Value: []byte("of another log")})
	}
	if batch, err := r.Next(testContext(t)); !errors.Is(err, ErrLogReplaced) {
		t.Errorf("read %d records, %v", len(batch.Records), err)
	}
}

func TestOnlyTheNamedTopicIsRead(t *testing.T) {
	c := startCluster(t).client(t)
	topic, _ := filled(t, c, 1)
	info, err := c.TopicInfo(testContext(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, newReader(t, c, ReaderConfig{Topic: topic, TopicID: info.ID}), 1)
	info.ID[0]++
	batch, err := newReader(t, c, ReaderConfig{Topic: topic, TopicID: info.ID}).Next(testContext(t))
	if !errors.Is(err, ErrLogReplaced) {
		t.Errorf("read %d records under another id, %v", len(batch.Records), err)
	}
}

// recreate deletes a topic and creates it again with one partition.
func recreate(t *testing.T, c *Client, topic string) {
	t.Helper()
	ctx := testContext(t)
	before, err := c.TopicInfo(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.kafka.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil || res.Errors[topic] != nil {
		t.Fatal(err, res.Errors[topic])
	}
	for { // a real cluster deletes at leisure
		if err := createTopic(ctx, c, kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}); err != nil {
			t.Fatal(err)
		}
		if after, err := c.TopicInfo(ctx, topic); err == nil && after.ID != before.ID {
			return
		}
	}
}

func TestReadRange(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 100)
	read := func(ctx context.Context, from, to int64, budget int) (offsets []int64, err error) {
		err = c.ReadRange(ctx, topic, 0, from, to, budget, func(rec Record) error {
			offsets = append(offsets, rec.Offset)
			return nil
		})
		return offsets, err
	}
	ctx := testContext(t)
	if got, err := read(ctx, 20, 23, 0); err != nil || !slices.Equal(got, []int64{20, 21, 22}) {
		t.Errorf("read %v, %v", got, err)
	}
	if got, err := read(ctx, 20, 20, 0); err != nil || len(got) != 0 {
		t.Errorf("an empty range: %v, %v", got, err)
	}
	if got, err := read(ctx, 20, 30, 6); !errors.Is(err, ErrBudget) || len(got) != 3 {
		t.Errorf("3 records of 2 bytes fit into a budget of 6: %v, %v", got, err)
	}
	stop := errors.New("enough")
	if err := c.ReadRange(ctx, topic, 0, 0, 10, 0, func(Record) error { return stop }); err != stop {
		t.Errorf("the callback's error came back as %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { p.Produce(0, Record{}, nil) })
	if got, err := read(ctx, 99, 101, 0); err != nil || len(got) != 2 {
		t.Errorf("a range that is still being written: %v, %v", got, err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := read(short, 99, 200, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beyond the end: %v", err)
	}
}
