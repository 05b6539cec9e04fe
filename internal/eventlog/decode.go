package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/segmentio/kafka-go/compress"
)

// Attribute bits of a record batch.
const (
	compressionMask = 0x07
	logAppendTime   = 0x08
	transactional   = 0x10
	controlBatch    = 0x20
)

var (
	errShort = errors.New("it is cut short")
	errOrder = errors.New("its records are not in order, or outside of it")
)

// decodeBatches decodes the record batches in raw, which is part of a fetch
// response, and appends the records from offset from on to out. The records
// share raw's memory unless they were compressed. next is the offset after
// the last whole batch, holes included, or from without one. Batches that would
// take more than roomFor of the response together are left for the next one.
//
// An error concerns the batch at next: records before it were decoded, and
// skip is where the batch ends.
func decodeBatches(raw []byte, from int64, out []Record) (records []Record, next, skip int64, err error) {
	return decodeCommitted(raw, from, out, nil)
}

// decodeCommitted is decodeBatches without what belongs to aborted transactions.
func decodeCommitted(raw []byte, from int64, out []Record, aborted *abortedBatches) (records []Record, next, skip int64, err error) {
	next = from
	left, taken := roomFor(raw), 0
	for len(raw) >= batchOverhead {
		size := int(binary.BigEndian.Uint32(raw[atLength:])) + atLength + 4
		if size < batchOverhead || size > len(raw) {
			break // the response ends inside of a batch, which the next one repeats
		}
		batch := raw[:size]
		raw = raw[size:]

		base := int64(binary.BigEndian.Uint64(batch))
		end := base + int64(int32(binary.BigEndian.Uint32(batch[atLastDelta:]))) + 1
		if end <= next {
			continue // it is known, or damaged: reading never goes back
		}
		if taken >= left {
			break
		}
		if aborted.has(batch, end) {
			next = end
			continue
		}
		room := maxUnpacked // of a batch that comes alone
		if taken > 0 {
			room = left - taken
		}
		before := room
		if out, err = decodeBatch(batch, next, end, out, &room); err != nil {
			if errors.Is(err, errUnpacked) && taken > 0 {
				break
			}
			return out, next, end, err
		}
		taken += before - room
		next = end
	}
	return out, next, next, nil
}

// decodeBatch decodes one whole batch, which ends before the offset end, and takes
// the memory for that from room. On an error it returns out as it was.
func decodeBatch(batch []byte, from, end int64, out []Record, room *int) ([]Record, error) {
	big := binary.BigEndian
	if batch[atMagic] != magicV2 {
		return out, fmt.Errorf("its format is version %d, not %d", batch[atMagic], magicV2)
	}
	if have, want := crc32.Checksum(batch[atAttributes:], castagnoli), big.Uint32(batch[atCRC:]); have != want {
		return out, fmt.Errorf("its checksum is %08x, not %08x", have, want)
	}
	attributes := big.Uint16(batch[atAttributes:])
	if attributes&controlBatch != 0 {
		return out, nil
	}
	body := batch[batchOverhead:]
	if codec := compress.Compression(attributes & compressionMask); codec != compress.None {
		var err error
		if body, err = decompress(codec, body, *room); err != nil {
			return out, err
		}
		*room -= len(body)
	}
	d := recordDecoder{
		cursor:    cursor{b: body},
		base:      int64(big.Uint64(batch)),
		firstTime: int64(big.Uint64(batch[atFirstTime:])),
		room:      room,
	}
	if attributes&logAppendTime != 0 {
		d.appendTime = int64(big.Uint64(batch[atMaxTime:]))
	}
	before, least := len(out), d.base
	for range int32(big.Uint32(batch[atCount:])) {
		rec := d.next()
		if *room < 0 {
			return out[:before], errUnpacked
		}
		if d.bad {
			return out[:before], errShort
		}
		if rec.Offset < least || rec.Offset >= end {
			return out[:before], errOrder
		}
		least = rec.Offset + 1
		if rec.Offset >= from {
			out = append(out, rec)
		}
	}
	return out, nil
}

// recordDecoder walks the records of a batch.
type recordDecoder struct {
	cursor
	base       int64
	firstTime  int64
	appendTime int64 // when not 0, the time of every record
	room       *int  // for records in memory, in bytes; below 0 there is too little
}

// next decodes a record; the cursor turns bad when it is incomplete.
func (d *recordDecoder) next() Record {
	rest := cursor{b: d.bytes(d.varint())}
	rest.byte() // attributes
	ms := d.firstTime + rest.varint()
	if d.appendTime != 0 {
		ms = d.appendTime
	}
	rec := Record{
		Offset: d.base + rest.varint(),
		Time:   time.UnixMilli(ms),
		Key:    rest.bytes(rest.varint()),
		Value:  rest.bytes(rest.varint()),
	}
	*d.room -= recordCost
	// A header takes two bytes at least.
	if n := rest.varint(); n > 0 && n <= int64(len(rest.b)/2) {
		if *d.room -= int(n) * headerCost; *d.room < 0 {
			return rec
		}
		rec.Headers = make([]Header, n)
		for i := range rec.Headers {
			rec.Headers[i] = Header{
				Key:   string(rest.bytes(rest.varint())),
				Value: rest.bytes(rest.varint()),
			}
		}
	} else if n != 0 {
		rest.bad = true
	}
	d.bad = d.bad || rest.bad
	return rec
}

// cursor reads from the front of b. Once anything is missing it is bad, and
// everything it returns is empty.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) varint() int64 {
	x, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return x
}

func (c *cursor) byte() {
	if len(c.b) == 0 {
		c.bad = true
		return
	}
	c.b = c.b[1:]
}

// bytes takes n bytes off, or returns nil for the length that means nil.
func (c *cursor) bytes(n int64) []byte {
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}
