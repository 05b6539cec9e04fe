package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The tests in this file reach into the broker, so they need the fake one.

func TestReadFollowsItsLeader(t *testing.T) {
	cl := startFake(t, kfake.NumBrokers(3))
	c := cl.client(t)
	topic, p := filled(t, c, 1)
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic})
	for i := range 20 {
		if i > 0 {
			produceOne(t, p, 0, Record{Value: fmt.Append(nil, i)})
		}
		if rec := readAll(t, r, 1)[0]; string(rec.Value) != fmt.Sprint(i) {
			t.Fatalf("read %s, want %d", rec.Value, i)
		}
		if err := cl.fake.MoveTopicPartition(topic, 0, (cl.fake.LeaderFor(topic, 0)+1)%3); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRetentionCutIsAnOffsetError(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic, p := filled(t, c, 10)
	r := newReader(t, c, ReaderConfig{Topic: topic, MaxBytes: 1})
	readAll(t, r, 1)
	truncate(t, cl, topic, 9)
	produceOne(t, p, 0, Record{})
	var err error
	for err == nil {
		_, err = r.Next(testContext(t))
	}
	var outside *OffsetError
	if !errors.As(err, &outside) || outside.First != 9 || outside.End != 11 {
		t.Errorf("after the cut: %v", err)
	}
}

// truncate cuts the beginning of a partition off.
func truncate(t *testing.T, cl cluster, topic string, first int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.SetVersion(2)
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = first
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := cl.client(t).exchange(testContext(t), requestTimeout, &exchange{req: req, leaderOf: topicPartition{topic, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if code := res.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatal(kafka.Error(code))
	}
}

// endOf is the offset after the last batch in raw.
func endOf(raw []byte) (end int64) {
	for len(raw) > 0 {
		end = int64(binary.BigEndian.Uint64(raw)) + int64(binary.BigEndian.Uint32(raw[atLastDelta:])) + 1
		raw = raw[int(binary.BigEndian.Uint32(raw[atLength:]))+atLength+4:]
	}
	return end
}

// serve answers fetches of a topic from batches, one per response, as a broker
// answers from a compacted log: with the first batch that ends at or above the
// offset.
func serve(cl cluster, end int64, batches ...[]byte) {
	cl.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
		fetch := req.(*kmsg.FetchRequest)
		res := req.ResponseKind().(*kmsg.FetchResponse)
		rt := kmsg.NewFetchResponseTopic()
		rt.TopicID = fetch.Topics[0].TopicID
		rp := kmsg.NewFetchResponseTopicPartition()
		rp.HighWatermark = end
		offset := fetch.Topics[0].Partitions[0].FetchOffset
		if i := slices.IndexFunc(batches, func(batch []byte) bool { return endOf(batch) > offset }); i >= 0 {
			rp.RecordBatches = batches[i]
		}
		rt.Partitions = append(rt.Partitions, rp)
		res.Topics = append(res.Topics, rt)
		return res, nil, true
	})
}

func TestCompactedLogIsReadFromEveryOffset(t *testing.T) {
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		t.Run(codec.String(), func(t *testing.T) {
			cl := startFake(t)
			c := cl.client(t)
			topic, _ := filled(t, c, 1)
			at := time.Now()
			serve(cl, 60,
				compressed(t, codec, withHole(batchOf(0, at, Record{}, Record{}), 9)),   // 0 and 1 are left of 0..9
				compressed(t, codec, withHole(batchOf(20, at, Record{}, Record{}), 29)), // 10..19 are gone
				compressed(t, codec, emptied(batchOf(40, at, Record{}), 49)),            // nothing is left of 40..49
				compressed(t, codec, batchOf(59, at, Record{})),
			)
			for from := range int64(60) {
				var want, got []int64
				for _, offset := range []int64{0, 1, 20, 21, 59} {
					if offset >= from {
						want = append(want, offset)
					}
				}
				r := newReader(t, c, ReaderConfig{Topic: topic, Offset: from})
				for _, rec := range readAll(t, r, len(want)) {
					got = append(got, rec.Offset)
				}
				if !slices.Equal(got, want) {
					t.Fatalf("from %d: read offsets %v, want %v", from, got, want)
				}
			}
		})
	}
}

func TestCorruptStretchIsReportedOnceAndPassed(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic, _ := filled(t, c, 1)
	at := time.Now()
	bad := batchOf(1, at, Record{}, Record{})
	bad[len(bad)-1] ^= 1
	serve(cl, 4, concat(batchOf(0, at, Record{}), bad), bad, batchOf(3, at, Record{}))
	r := newReader(t, c, ReaderConfig{Topic: topic})
	if rec := readAll(t, r, 1)[0]; rec.Offset != 0 {
		t.Fatalf("read offset %d", rec.Offset)
	}
	_, err := r.Next(testContext(t))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != 1 || corrupt.NextOffset != 3 {
		t.Fatalf("at the corrupt stretch: %v", err)
	}
	if rec := readAll(t, r, 1)[0]; rec.Offset != 3 {
		t.Errorf("after it: read offset %d", rec.Offset)
	}
}

func TestUnknownTopicIsWaitedFor(t *testing.T) {
	cl := startFake(t)
	c := cl.client(t)
	topic, p := filled(t, c, 1)
	cl.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.UnknownTopicID, Count: 3})
	var calls atomic.Int64
	r := newReader(t, c, ReaderConfig{Own: true, Topic: topic, Offset: 1, OnReconnect: func(context.Context) error {
		calls.Add(1)
		return nil
	}})
	produceOne(t, p, 0, Record{})
	readAll(t, r, 1)
	if calls.Load() < 3 {
		t.Errorf("OnReconnect was called %d times for 3 answers that the topic is not there", calls.Load())
	}
}
