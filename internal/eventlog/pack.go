package eventlog

import (
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// minPacked is the size in bytes from which on a batch is compressed: smaller ones, such
// as a short message alone, hardly shrink.
const minPacked = 512

// zstdEncoder makes one frame at a time of a whole batch. Batches have a checksum.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
})

var packBuffers = sync.Pool{New: func() any { return new([]byte) }}

// pack compresses the records in place, where that makes the batch smaller. No more can
// be appended then.
func (e *encoder) pack() error {
	records := e.buf[sizePrefix+batchOverhead:]
	if e.codec != compress.None || batchOverhead+len(records) < minPacked {
		return nil
	}
	z, err := zstdEncoder()
	if err != nil {
		return err
	}
	buf := packBuffers.Get().(*[]byte)
	defer packBuffers.Put(buf)
	if *buf = z.EncodeAll(records, (*buf)[:0]); len(*buf) < len(records) {
		e.saved = len(records) - len(*buf)
		e.buf = append(e.buf[:sizePrefix+batchOverhead], *buf...)
		e.codec = compress.Zstd
	}
	return nil
}
