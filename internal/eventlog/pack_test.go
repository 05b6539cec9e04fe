package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// What is packed is read as it was, has its whole size as before, and is packed once.
func TestDecodeInvertsPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(anyRecord(), 1, 20).Draw(t, "records")
		b := &batch{}
		b.reset()
		for i := range records {
			b.append(&records[i], time.Now())
		}
		size := b.size()
		for session := range int64(2) { // as when it is sent under another identity
			if err := b.pack(); err != nil {
				t.Fatal(err)
			}
			b.seal(session, 0, 0)
		}
		if b.size() != size || len(b.buf) > size+sizePrefix+batchOverhead {
			t.Fatalf("it has %d bytes and counts as %d, before %d", len(b.buf), b.size(), size)
		}
		if b.codec != compress.None && size+batchOverhead < minPacked {
			t.Fatalf("%d bytes are packed", size)
		}
		got, next, _, err := decodeBatches(b.buf[sizePrefix:], 0, nil)
		if err != nil || next != int64(len(records)) || len(got) != len(records) {
			t.Fatalf("%d records up to %d, %v", len(got), next, err)
		}
		for i := range got {
			if !sameRecord(got[i], records[i]) {
				t.Fatalf("record %d is %+v, want %+v", i, got[i], records[i])
			}
		}
		if b.reset(); b.codec != compress.None || b.saved != 0 {
			t.Fatal("an empty batch counts as packed")
		}
	})
}

// What queues is compressed; brokers take it, also when its numbers change, and the
// queue is empty afterwards.
func TestCompressedBatchesArrive(t *testing.T) {
	cl := startCluster(t)
	c, w := cl.wiredClient(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic, Compress: true})
	release := holdFirst(t, p, w)
	const n = 1000
	for i := range n {
		if err := p.Produce(0, record(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	release()
	if err := p.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	queued := p.queued
	p.mu.Unlock()
	if queued != 0 {
		t.Errorf("%d bytes are queued", queued)
	}
	for i, rec := range readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), n+1) {
		if i > 0 && !bytes.Equal(rec.Value, record(i-1).Value) {
			t.Fatalf("record %d is %q", i, rec.Value)
		}
	}
	packed := false
	fetched, err := newReader(t, c, ReaderConfig{Topic: topic}).rawBatch(testContext(t), 1)
	if err == nil {
		packed = fetched[atAttributes+1]&compressionMask == byte(compress.Zstd)
	}
	if !packed {
		t.Errorf("the batch is not compressed: %v", err)
	}
}

// rawBatch is the batch with an offset as the log has it.
func (r *Reader) rawBatch(ctx context.Context, offset int64) ([]byte, error) {
	r.offset = offset
	if err := r.identify(ctx); err != nil {
		return nil, err
	}
	res, err := r.ask(ctx, r.request())
	if err != nil {
		return nil, err
	}
	return res.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches, nil
}

// record is one about as large as a message of 128 bytes, of words.
func record(i int) Record {
	random := rand.New(rand.NewPCG(1, uint64(i)))
	value := fmt.Appendf(nil, "\x08%d01KBX5T0HZ6Q8M9V2RN4CWJ7EY user-%d ", i, i%100)
	for range 26 { // an id
		value = append(value, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[random.IntN(32)])
	}
	common := rand.NewZipf(random, 1.1, 3, 20_000)
	for end := len(value) + 128; len(value) < end; {
		spelling := rand.New(rand.NewPCG(2, common.Uint64()))
		for range 2 + spelling.IntN(7) {
			value = append(value, "eeettaoinshrdlucmfwypvbgk"[spelling.IntN(25)])
		}
		value = append(value, ' ')
	}
	return Record{Key: fmt.Appendf(nil, "channel-%d", i%8), Value: value}
}

// BenchmarkPack is what compressing costs and saves, for batches of that many messages:
// bytes each in the log, and the processor time of writing and reading one.
func BenchmarkPack(b *testing.B) {
	for _, n := range []int{1, 2, 4, 16, 64, 256} {
		for _, pack := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/%v", n, pack), func(b *testing.B) {
				records := make([]Record, 64*n)
				for i := range records {
					records[i] = record(i)
				}
				var e encoder
				var size, at int
				var out []Record
				for b.Loop() {
					e.reset()
					for i := range n {
						e.append(&records[(at+i)%len(records)], time.Time{})
					}
					if pack {
						if err := e.pack(); err != nil {
							b.Fatal(err)
						}
					}
					raw := e.seal(1, 0, 0)[sizePrefix:]
					size += len(raw)
					var err error
					if out, _, _, err = decodeBatches(raw, 0, out[:0]); err != nil || len(out) != n {
						b.Fatal(err)
					}
					at = (at + n) % len(records)
				}
				b.ReportMetric(float64(size)/float64(b.N*n), "B/message")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
