package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// packed is a batch of one offset whose records are what a codec makes of bytes that
// somebody wrote by hand.
func packed(offset int64, codec compress.Compression, count int, body []byte) []byte {
	batch := append(batchOf(offset, time.Now(), Record{})[:batchOverhead:batchOverhead], body...)
	batch[atAttributes+1] |= byte(codec)
	binary.BigEndian.PutUint32(batch[atCount:], uint32(count))
	return rechecked(batch)
}

// squeeze compresses n bytes that repeat a piece.
func squeeze(t testing.TB, codec compress.Compression, n int, piece []byte) []byte {
	t.Helper()
	var body bytes.Buffer
	w := codec.Codec().NewWriter(&body)
	piece = bytes.Repeat(piece, 1<<20/len(piece))
	for ; n > 0; n -= len(piece) {
		if _, err := w.Write(piece[:min(n, len(piece))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body.Bytes()
}

// bombs are batches that are small in the log and huge in the memory of a careless
// reader.
func bombs(t testing.TB) map[string][]byte {
	t.Helper()
	const huge = 300 << 20
	all := announced()
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		all[codec.String()+", 300 MiB of zeros"] = packed(0, codec, 1, squeeze(t, codec, huge, []byte{0}))
	}
	// A record of 10 bytes takes 10 times as much in memory, a header of 2 takes 20.
	all["records that are small"] = compressed(t, compress.Zstd, batchOf(0, time.Now(), make([]Record, 1<<20)...))
	const headers = maxUnpacked / 4
	head := binary.AppendVarint(nil, 5+4+2*headers)
	head = binary.AppendVarint(append(head, 0, 0, 0, 1, 1), headers)
	all["headers that are small"] = packed(0, compress.Zstd, 1, append(squeeze(t, compress.Zstd, len(head), head), squeeze(t, compress.Zstd, 2*headers, []byte{0, 1})...))
	return all
}

// announced are batches of a few bytes that announce many.
func announced() map[string][]byte {
	all := map[string][]byte{}
	for name, size := range map[string]uint64{"4 GiB": 1<<32 - 1, "65 MiB": maxUnpacked + 1<<20} {
		length := binary.AppendUvarint(nil, size)
		all["snappy that announces "+name] = packed(0, compress.Snappy, 1, append(length, 0, 'x'))
		block := append(binary.AppendUvarint(nil, size), 0, 'x')
		framed := append(append([]byte{}, xerial...), 0, 0, 0, 1, 0, 0, 0, 1)
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
		all["snappy with a block that announces "+name] = packed(0, compress.Snappy, 1, framed)
		all["zstd that announces "+name] = packed(0, compress.Zstd, 1, zstdFrame(size, 0))
	}
	framed := append(append([]byte{}, xerial...), 0, 0, 0, 1, 0, 0, 0, 1)
	all["snappy with a block of 4 GiB"] = packed(0, compress.Snappy, 1, append(framed, 0xff, 0xff, 0xff, 0xff, 'x'))
	all["zstd with a window of 512 MiB"] = packed(0, compress.Zstd, 1, zstdFrame(0, 19<<3))
	return all
}

// zstdFrame is a frame of one byte that announces another size, or without one a
// window, as the format's descriptor has it.
func zstdFrame(size uint64, window byte) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd}
	if size > 0 {
		frame = binary.LittleEndian.AppendUint64(append(frame, 0xe0), size)
	} else {
		frame = append(frame, 0, window)
	}
	return append(frame, 1|1<<3, 0, 0, 'x') // the last block: one byte, as it is
}

// maxAllocated is what a decoder may allocate for one fetch, all that it gives back on
// its way included.
const maxAllocated = 7 * maxUnpacked

// Whoever may write to a topic cannot take the memory of its readers: what unpacks to
// more than it may counts as corrupt.
//
//parley:bound what a fetch unpacks to
func TestBombsAreRefused(t *testing.T) {
	for name, bomb := range bombs(t) {
		t.Run(name, func(t *testing.T) {
			t.Logf("%d bytes", len(bomb))
			end := endOf(bomb)
			raw, before := concat(bomb, batchOf(end, time.Now(), Record{})), allocated()
			records, _, skip, err := decodeBatches(raw, 0, nil)
			n := allocated() - before
			if err == nil || len(records) != 0 || skip != end {
				t.Errorf("%d records, skip %d, %v", len(records), skip, err)
			}
			t.Logf("%d MiB were allocated: %v", n>>20, err)
			if n > maxAllocated {
				t.Errorf("%d MiB were allocated", n>>20)
			}
			if records, next, _, err := decodeBatches(raw, end, nil); err != nil || next != end+1 || len(records) != 1 {
				t.Errorf("after it: %d records up to %d, %v", len(records), next, err)
			}
		})
	}
}

// Batches that are too much together are read one fetch after the other.
func TestBatchesThatUnpackToTooMuchTogether(t *testing.T) {
	const batches, size = 20, maxUnpacked / 3
	var raw []byte
	body := squeeze(t, compress.Zstd, size, []byte{0})
	value := binary.AppendVarint([]byte{0, 0, 0, 1}, size) // attributes, deltas, no key
	head := append(binary.AppendVarint(nil, int64(len(value)+size+1)), value...)
	one := append(squeeze(t, compress.Zstd, len(head), head), append(body, squeeze(t, compress.Zstd, 1, []byte{0})...)...)
	for i := range int64(batches) {
		raw = append(raw, packed(i, compress.Zstd, 1, one)...)
	}
	var next, fetches int64
	for ; next < batches; fetches++ {
		before := allocated()
		records, to, _, err := decodeBatches(raw, next, nil)
		n := allocated() - before
		if err != nil || to <= next || int64(len(records)) != to-next || len(records[0].Value) != size {
			t.Fatalf("from %d to %d: %d records, %v", next, to, len(records), err)
		}
		next = to
		if n > maxAllocated {
			t.Errorf("%d MiB were allocated", n>>20)
		}
	}
	if fetches < batches/3 {
		t.Errorf("they came in %d fetches", fetches)
	}
}

// What compresses well comes a part at a time: a role holds many responses at once.
func TestAResponseUnpacksToLittle(t *testing.T) {
	const batches, records, size = 60, 16, 64 << 10
	var raw []byte
	all := make([]Record, records)
	for i := range all {
		all[i].Value = bytes.Repeat([]byte{'a'}, size)
	}
	for i := range int64(batches) {
		raw = append(raw, compressed(t, compress.Zstd, batchOf(i*records, time.Now(), all...))...)
	}
	if len(raw) > leastRoom/usualRatio {
		t.Fatalf("%d bytes are not little", len(raw))
	}
	for next := int64(0); next < batches*records; {
		found, to, _, err := decodeBatches(raw, next, nil)
		if err != nil || to != next+int64(len(found)) || len(found) == 0 {
			t.Fatalf("from %d to %d: %d records, %v", next, to, len(found), err)
		}
		if n := len(found) * size; n > 2*leastRoom {
			t.Errorf("a response of %d bytes unpacks to %d", len(raw), n)
		}
		next = to
	}
}

// Whatever codec, framing and level writers use is read.
func TestWhatOthersCompressIsRead(t *testing.T) {
	plain := batchOf(0, time.Now(), Record{Value: bytes.Repeat([]byte("some words of a message "), 100_000)})[batchOverhead:]
	bodies := map[compress.Compression][][]byte{
		compress.Snappy: {snappy.Encode(nil, plain)},
	}
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		bodies[codec] = append(bodies[codec], compressed(t, codec, packed(0, compress.None, 1, plain))[batchOverhead:])
	}
	for _, window := range []int{1 << 20, 8 << 20, 64 << 20} { // as the levels have
		var body bytes.Buffer
		w, err := zstd.NewWriter(&body, zstd.WithWindowSize(window))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil { // a stream, whose size is not announced
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		bodies[compress.Zstd] = append(bodies[compress.Zstd], body.Bytes())
	}
	for codec, all := range bodies {
		for i, body := range all {
			if got, err := decompress(codec, body, maxUnpacked); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s %d: %d bytes, %v", codec, i, len(got), err)
			}
			if _, err := decompress(codec, body, len(plain)-1); !errors.Is(err, errUnpacked) {
				t.Errorf("%s %d, with room for less: %v", codec, i, err)
			}
		}
	}
}

// FuzzDecompress: whatever is in a batch, what it unpacks to has its bound.
func FuzzDecompress(f *testing.F) {
	for _, codec := range []compress.Compression{compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd} {
		f.Add(int8(codec), squeeze(f, codec, 1000, []byte("words ")), 1000)
		f.Add(int8(codec), squeeze(f, codec, 1<<20, []byte{0}), 100)
	}
	for _, bomb := range announced() {
		f.Add(int8(bomb[atAttributes+1]&compressionMask), bomb[batchOverhead:], 1<<20)
	}
	f.Fuzz(func(t *testing.T, codec int8, body []byte, limit int) {
		if limit < 0 || limit > 1<<20 || codec < 0 || codec > compressionMask {
			return
		}
		plain, err := decompress(compress.Compression(codec), body, limit)
		if err == nil && len(plain) > limit && codec != 0 {
			t.Errorf("%d bytes with room for %d", len(plain), limit)
		}
	})
}
