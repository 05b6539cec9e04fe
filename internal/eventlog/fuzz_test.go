package eventlog

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// Whatever a broker answers, records come in order, from where they were asked
// for, and reading never goes back.
func FuzzDecodeBatches(f *testing.F) {
	now := time.UnixMilli(1_790_000_000_000)
	batch := batchOf(5, now, Record{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{Key: "h", Value: []byte("x")}}}, Record{Value: []byte("w")})
	f.Add(batch, int64(0))
	f.Add(append(batch[:len(batch):len(batch)], batchOf(7, now, Record{})...), int64(6))
	f.Add(append(batchOf(99, now, Record{}), batch...), int64(0)) // which goes back
	f.Add(batch[:len(batch)-1], int64(0))
	f.Add(emptied(append([]byte(nil), batch...), 9), int64(0))
	f.Add(withHole(append([]byte(nil), batch...), -9), int64(0))
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		f.Add(compressed(f, codec, append([]byte(nil), batch...)), int64(0))
	}
	f.Fuzz(func(t *testing.T, raw []byte, from int64) {
		if from < 0 {
			return
		}
		for _, checked := range []bool{false, true} { // a wrong checksum is refused before the records are read
			if checked {
				if len(raw) < batchOverhead || len(raw) > 1<<20 {
					return
				}
				raw = rechecked(append([]byte(nil), raw...))
				raw[atMagic] = magicV2
				raw = rechecked(raw)
			}
			records, next, skip, err := decodeBatches(raw, from, nil)
			if next < from || skip < next || err == nil && skip != next {
				t.Errorf("from %d: next %d, skip %d, %v", from, next, skip, err)
			}
			least := from
			for _, r := range records {
				if r.Offset < least || r.Offset >= next {
					t.Errorf("from %d to %d there is a record at %d", least, next, r.Offset)
				}
				least = r.Offset + 1
			}
		}
	})
}
