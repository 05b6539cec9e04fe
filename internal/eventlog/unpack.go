package eventlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

const (
	// maxUnpacked bounds the memory that the records of one batch take besides the
	// response, in bytes: what is decompressed, and a Record for each of them. Whoever
	// may write to a topic decides what a batch unpacks to.
	maxUnpacked = 64 << 20
	// usualRatio is to how many times its size a response unpacks at most, and
	// leastRoom is what it may unpack to however short it is, unless one batch is more.
	// Text of people unpacks to two to four times its size.
	usualRatio = 8
	leastRoom  = 1 << 20
)

// roomFor is what the batches of a response may take in memory together, in bytes: a
// role holds two responses of each of its partitions.
func roomFor(response []byte) int {
	return min(max(usualRatio*len(response), leastRoom), maxUnpacked)
}

// What a record and a header take in memory, without the bytes that they hold.
var (
	recordCost = int(reflect.TypeFor[Record]().Size())
	headerCost = int(reflect.TypeFor[Header]().Size())
)

var errUnpacked = fmt.Errorf("it unpacks to more than %d MiB", maxUnpacked>>20)

// decompress returns what a batch's records are compressed of. Of more than limit
// bytes it is errUnpacked.
func decompress(codec compress.Compression, body []byte, limit int) (plain []byte, err error) {
	switch codec {
	case compress.None:
		return body, nil
	case compress.Snappy:
		plain, err = decompressSnappy(body, limit)
	case compress.Zstd:
		plain, err = decompressZstd(body, limit)
	case compress.Gzip, compress.Lz4:
		plain, err = decompressStream(codec.Codec(), body, limit)
	default:
		return nil, fmt.Errorf("its compression %d is unknown", codec)
	}
	if err == nil && len(plain) > limit {
		err = errUnpacked
	}
	if err != nil && !errors.Is(err, errUnpacked) {
		err = fmt.Errorf("it cannot be decompressed: %w", err)
	}
	return plain, err
}

// decompressStream is for codecs whose readers keep no more than a block.
func decompressStream(codec compress.Codec, body []byte, limit int) ([]byte, error) {
	r := codec.NewReader(bytes.NewReader(body))
	defer r.Close()
	plain := make([]byte, 0, min(4*len(body)+1, limit+1))
	for len(plain) <= limit {
		if len(plain) == cap(plain) {
			plain = append(make([]byte, 0, min(2*cap(plain), limit+1)), plain...)
		}
		n, err := r.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// zstdDecoder decompresses in one go, without memory for a window, whose size is up to
// whoever wrote the frame. Windows of up to 64 MiB are read, those of all levels but
// the highest.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxUnpacked))
})

func decompressZstd(body []byte, limit int) ([]byte, error) {
	var head zstd.Header
	if head.Decode(body) == nil && head.HasFCS && head.FrameContentSize > uint64(limit) {
		return nil, errUnpacked
	}
	d, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	plain, err := d.DecodeAll(body, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = errUnpacked
	}
	return plain, err
}

// xerial begins what Kafka's own clients compress with snappy: versions follow, 8
// bytes, then blocks, each after its size. Others write one block alone.
var xerial = []byte("\x82SNAPPY\x00")

func decompressSnappy(body []byte, limit int) ([]byte, error) {
	const head, size = 16, 4
	if len(body) == 0 { // of a batch without records
		return nil, nil
	}
	if !bytes.HasPrefix(body, xerial) || len(body) < head {
		return appendSnappy(nil, body, limit)
	}
	var plain []byte
	for body = body[head:]; len(body) > 0; {
		if len(body) < size {
			return nil, errShort
		}
		n := binary.BigEndian.Uint32(body)
		if body = body[size:]; uint64(n) > uint64(len(body)) {
			return nil, errShort
		}
		var err error
		if plain, err = appendSnappy(plain, body[:n], limit); err != nil {
			return nil, err
		}
		body = body[n:]
	}
	return plain, nil
}

// appendSnappy appends what a block of snappy is compressed of.
func appendSnappy(plain, block []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > limit-len(plain) {
		return nil, errUnpacked
	}
	if n > cap(plain)-len(plain) {
		plain = append(make([]byte, 0, min(2*cap(plain)+n, limit)), plain...)
	}
	at := len(plain)
	if _, err := snappy.Decode(plain[at:at+n], block); err != nil {
		return nil, err
	}
	return plain[:at+n], nil
}
