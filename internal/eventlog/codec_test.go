package eventlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"
)

// batchOf encodes records as one batch that begins at a base offset.
func batchOf(base int64, now time.Time, records ...Record) []byte {
	var e encoder
	e.reset()
	for i := range records {
		e.append(&records[i], now)
	}
	batch := e.seal(1, 0, 0)[sizePrefix:]
	binary.BigEndian.PutUint64(batch, uint64(base))
	return batch
}

// withHole makes a batch end at an offset above its last record's, as
// compaction does.
func withHole(batch []byte, lastOffset int64) []byte {
	base := int64(binary.BigEndian.Uint64(batch))
	binary.BigEndian.PutUint32(batch[atLastDelta:], uint32(lastOffset-base))
	return rechecked(batch)
}

// emptied takes all records out of a batch that ends at an offset.
func emptied(batch []byte, lastOffset int64) []byte {
	batch = batch[:batchOverhead]
	binary.BigEndian.PutUint32(batch[atCount:], 0)
	return withHole(batch, lastOffset)
}

// compressed compresses a batch's records.
func compressed(t testing.TB, codec compress.Compression, batch []byte) []byte {
	t.Helper()
	if codec == compress.None {
		return batch
	}
	var body bytes.Buffer
	w := codec.Codec().NewWriter(&body)
	if _, err := w.Write(batch[batchOverhead:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	batch = append(slices.Clone(batch[:batchOverhead]), body.Bytes()...)
	batch[atAttributes+1] |= byte(codec)
	return rechecked(batch)
}

// rechecked corrects a batch's length and checksum after a change.
func rechecked(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-atLength-4))
	binary.BigEndian.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
	return batch
}

func anyRecord() *rapid.Generator[Record] {
	blob := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 300))
	header := rapid.Custom(func(t *rapid.T) Header {
		return Header{Key: rapid.StringN(0, 20, 60).Draw(t, "key"), Value: blob.Draw(t, "value")}
	})
	return rapid.Custom(func(t *rapid.T) Record {
		return Record{
			Key:     blob.Draw(t, "key"),
			Value:   blob.Draw(t, "value"),
			Headers: rapid.SliceOfN(header, 0, 4).Draw(t, "headers"),
		}
	})
}

// sameRecord compares what a record holds; no headers and nil headers are one.
func sameRecord(a, b Record) bool {
	if (a.Key == nil) != (b.Key == nil) || (a.Value == nil) != (b.Value == nil) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !bytes.Equal(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

func TestDecodeInvertsEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(anyRecord(), 1, 20).Draw(t, "records")
		base := rapid.Int64Range(0, 1<<60).Draw(t, "base")
		from := base + rapid.Int64Range(0, int64(len(records))-1).Draw(t, "skip")
		got, next, _, err := decodeBatches(batchOf(base, time.Now(), records...), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if next != base+int64(len(records)) {
			t.Fatalf("next is %d", next)
		}
		want := records[from-base:]
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i].Offset != from+int64(i) || !sameRecord(got[i], want[i]) {
				t.Fatalf("record %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

// TestKafkaGoReadsOurBatches checks the encoder against another implementation.
func TestKafkaGoReadsOurBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(anyRecord(), 1, 20).Draw(t, "records")
		now := time.UnixMilli(rapid.Int64Range(1, 1<<42).Draw(t, "now"))
		var e encoder
		e.reset()
		for i := range records {
			e.append(&records[i], now.Add(time.Duration(i)*time.Millisecond))
		}
		sealed := e.seal(7, 3, 11)
		newest := now.Add(time.Duration(len(records)-1) * time.Millisecond).UnixMilli()
		if got := int64(binary.BigEndian.Uint64(sealed[sizePrefix+atMaxTime:])); got != newest {
			t.Fatalf("the newest record is of %d, want %d", got, newest)
		}
		var set protocol.RecordSet
		if _, err := set.ReadFrom(bytes.NewReader(sealed)); err != nil {
			t.Fatal(err)
		}
		stream := set.Records.(*protocol.RecordStream)
		if len(stream.Records) != 1 {
			t.Fatalf("%d batches", len(stream.Records))
		}
		batch := stream.Records[0].(*protocol.RecordBatch)
		if batch.ProducerID != 7 || batch.ProducerEpoch != 3 || batch.BaseSequence != 11 {
			t.Fatalf("identity %d/%d/%d", batch.ProducerID, batch.ProducerEpoch, batch.BaseSequence)
		}
		for i := range records {
			rec, err := batch.ReadRecord()
			if err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			if want := now.Add(time.Duration(i) * time.Millisecond); !rec.Time.Equal(want) {
				t.Fatalf("record %d is of %v, want %v", i, rec.Time, want)
			}
			got := Record{Key: readBytes(t, rec.Key), Value: readBytes(t, rec.Value)}
			for _, h := range rec.Headers {
				got.Headers = append(got.Headers, Header(h))
			}
			if !sameRecord(got, records[i]) {
				t.Fatalf("record %d is %+v, want %+v", i, got, records[i])
			}
		}
		if _, err := batch.ReadRecord(); err != io.EOF {
			t.Fatalf("after the last record: %v", err)
		}
	})
}

func readBytes(t *rapid.T, b protocol.Bytes) []byte {
	if b == nil {
		return nil
	}
	all, err := protocol.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDecodeStepsOverHoles(t *testing.T) {
	at := time.Now()
	log := concat(
		withHole(batchOf(10, at, Record{}, Record{}), 19), // 10 and 11 are left of 10..19
		batchOf(25, at, Record{}),                         // 20..24 are gone altogether
		emptied(batchOf(30, at, Record{}), 39),            // nothing is left of 30..39
	)
	for _, test := range []struct {
		name    string
		raw     []byte
		from    int64
		offsets string
		next    int64
	}{
		{"all", log, 10, "[10 11 25]", 40},
		{"from within a batch", log, 11, "[11 25]", 40},
		{"from within a hole", log, 15, "[25]", 40},
		{"from between batches", log, 22, "[25]", 40},
		{"only an empty batch", log, 33, "[]", 40},
		{"ends within a batch", log[:len(log)-1], 10, "[10 11 25]", 26},
		{"ends within a header", log[:len(log)-batchOverhead+1], 10, "[10 11 25]", 26},
		{"nothing", nil, 10, "[]", 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			records, next, _, err := decodeBatches(test.raw, test.from, nil)
			if err != nil {
				t.Fatal(err)
			}
			offsets := []int64{}
			for _, rec := range records {
				offsets = append(offsets, rec.Offset)
			}
			if fmt.Sprint(offsets) != test.offsets || next != test.next {
				t.Errorf("got %v, next %d; want %s, next %d", offsets, next, test.offsets, test.next)
			}
		})
	}
}

func TestDecodeReportsDamage(t *testing.T) {
	at := time.Now()
	good := batchOf(0, at, Record{Value: []byte("good")})
	for _, test := range []struct {
		name   string
		damage func(batch []byte) []byte
	}{
		{"checksum", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }},
		{"magic", func(b []byte) []byte { b[atMagic] = 1; return b }},
		{"count", func(b []byte) []byte { b[atCount+3] = 9; return rechecked(b) }},
		{"record cut short", func(b []byte) []byte { return rechecked(b[:len(b)-1]) }},
		{"unknown compression", func(b []byte) []byte { b[atAttributes+1] = 7; return rechecked(b) }},
		{"not compressed", func(b []byte) []byte { b[atAttributes+1] = byte(kafka.Gzip); return rechecked(b) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := test.damage(batchOf(1, at, Record{Value: []byte("bad")}))
			records, next, skip, err := decodeBatches(concat(good, bad), 0, nil)
			if err == nil || len(records) != 1 || next != 1 || skip != 2 {
				t.Errorf("%d records, next %d, skip %d, %v", len(records), next, skip, err)
			}
		})
	}
}

func TestDecodeSkipsControlBatches(t *testing.T) {
	control := batchOf(0, time.Now(), Record{Key: []byte("marker")})
	control[atAttributes+1] |= controlBatch
	records, next, _, err := decodeBatches(rechecked(control), 0, nil)
	if err != nil || len(records) != 0 || next != 1 {
		t.Errorf("%d records, next %d, %v", len(records), next, err)
	}
}

func TestDecodeUsesTheBrokersTime(t *testing.T) {
	batch := batchOf(0, time.UnixMilli(1000), Record{})
	batch[atAttributes+1] |= logAppendTime
	binary.BigEndian.PutUint64(batch[atMaxTime:], 5000)
	records, _, _, err := decodeBatches(rechecked(batch), 0, nil)
	if err != nil || !records[0].Time.Equal(time.UnixMilli(5000)) {
		t.Errorf("%v, %v", records, err)
	}
}

// TestDecodeSurvivesAnything: no bytes whatever may panic, or move the position
// backwards.
func TestDecodeSurvivesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch := batchOf(5, time.Now(), rapid.SliceOfN(anyRecord(), 1, 3).Draw(t, "records")...)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			batch[rapid.IntRange(0, len(batch)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		if rapid.Bool().Draw(t, "valid checksum") {
			rechecked(batch)
		}
		if _, next, _, _ := decodeBatches(batch, 5, nil); next < 5 {
			t.Fatalf("next is %d", next)
		}
	})
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
