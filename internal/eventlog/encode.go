package eventlog

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// The layout of a record batch of version 2, as it lies in a produce request:
// a size that is not part of the batch, then the batch's header, then records.
// Offsets count from the start of the batch.
const (
	sizePrefix = 4

	atLength      = 8
	atMagic       = 16
	atCRC         = 17
	atAttributes  = 21
	atLastDelta   = 23
	atFirstTime   = 27
	atMaxTime     = 35
	atProducerID  = 43
	atEpoch       = 51
	atSequence    = 53
	atCount       = 57
	batchOverhead = 61

	magicV2 = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder builds one record batch. Records are encoded as they come; seal
// fills in what is only known at the end.
type encoder struct {
	buf       []byte // sizePrefix, header, records
	count     int
	firstTime int64 // milliseconds since the epoch
	maxTime   int64
	codec     compress.Compression // of the records in buf
	saved     int                  // bytes by which that made them smaller
}

// reset makes the encoder empty again and keeps its buffer.
func (e *encoder) reset() {
	var head [sizePrefix + batchOverhead]byte
	e.buf = append(e.buf[:0], head[:]...)
	*e = encoder{buf: e.buf}
}

// append adds a record that was enqueued at now.
func (e *encoder) append(rec *Record, now time.Time) {
	ms := now.UnixMilli()
	if e.count == 0 {
		e.firstTime, e.maxTime = ms, ms
	}
	e.maxTime = max(e.maxTime, ms)
	timeDelta, offsetDelta := ms-e.firstTime, int64(e.count)

	length := 1 + varintSize(timeDelta) + varintSize(offsetDelta) +
		bytesSize(rec.Key) + bytesSize(rec.Value) + varintSize(int64(len(rec.Headers)))
	for i := range rec.Headers {
		h := &rec.Headers[i]
		length += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}

	b := binary.AppendVarint(e.buf, int64(length))
	b = append(b, 0) // attributes, which no record has yet
	b = binary.AppendVarint(b, timeDelta)
	b = binary.AppendVarint(b, offsetDelta)
	b = appendBytes(b, rec.Key)
	b = appendBytes(b, rec.Value)
	b = binary.AppendVarint(b, int64(len(rec.Headers)))
	for i := range rec.Headers {
		h := &rec.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	e.buf = b
	e.count++
}

// seal fills in the header: whose batch this is and what its records are. The
// result is what a produce request carries; it stays valid until reset.
func (e *encoder) seal(producerID int64, epoch int16, sequence int32) []byte {
	big := binary.BigEndian
	batch := e.buf[sizePrefix:]
	big.PutUint32(e.buf, uint32(len(batch)))
	big.PutUint64(batch, 0) // the broker assigns the offset
	big.PutUint32(batch[atLength:], uint32(len(batch)-atLength-4))
	big.PutUint32(batch[atLength+4:], ^uint32(0)) // leader epoch: unknown
	batch[atMagic] = magicV2
	big.PutUint16(batch[atAttributes:], uint16(e.codec))
	big.PutUint32(batch[atLastDelta:], uint32(e.count-1))
	big.PutUint64(batch[atFirstTime:], uint64(e.firstTime))
	big.PutUint64(batch[atMaxTime:], uint64(e.maxTime))
	big.PutUint64(batch[atProducerID:], uint64(producerID))
	big.PutUint16(batch[atEpoch:], uint16(epoch))
	big.PutUint32(batch[atSequence:], uint32(sequence))
	big.PutUint32(batch[atCount:], uint32(e.count))
	big.PutUint32(batch[atCRC:], crc32.Checksum(batch[atAttributes:], castagnoli))
	return e.buf
}

// recordBound is at least what a record takes in a batch.
func recordBound(rec *Record) int {
	const varints = 6 * binary.MaxVarintLen32 // lengths, deltas, header count
	return 1 + varints + rec.size() + len(rec.Headers)*2*binary.MaxVarintLen32
}

// appendBytes writes a length and its bytes; nil is not the same as empty.
func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

// varintSize is the number of bytes that a zigzag varint takes.
func varintSize(x int64) int {
	zigzag := uint64(x<<1) ^ uint64(x>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}
