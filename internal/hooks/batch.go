package hooks

import (
	"fmt"
	"strconv"
)

const (
	// maxEvents and maxBytes bound a batch; an event that is longer goes alone. Many
	// servers take 1 MiB by default.
	maxEvents = 1000
	maxBytes  = 512 << 10
)

// batch is what is sent at once. The zero value is ready for use.
type batch struct {
	items []item
	bytes int
}

func (b *batch) empty() bool { return len(b.items) == 0 }

// full reports whether another event of that length is one too many.
func (b *batch) full(length int) bool {
	return len(b.items) >= maxEvents || len(b.items) > 0 && b.bytes+length+1 > maxBytes
}

func (b *batch) add(it item) {
	b.items = append(b.items, it)
	b.bytes += len(it.json) + 1
}

func (b *batch) from() int64 { return b.items[0].seq }
func (b *batch) to() int64   { return b.items[len(b.items)-1].seq }

// skip drops what is below an offset, and returns how many events that were.
func (b *batch) skip(below int64) (n int) {
	for n < len(b.items) && b.items[n].seq < below {
		b.bytes -= len(b.items[n].json) + 1
		n++
	}
	b.items = b.items[n:]
	return n
}

func (b *batch) clear() {
	clear(b.items)
	b.items, b.bytes = b.items[:0], 0
}

// body is the batch as it is sent.
func (b *batch) body(epoch string, partition int) []byte {
	body := make([]byte, 0, b.bytes+len(epoch)+128)
	body = fmt.Appendf(body, `{"epoch":%s,"partition":%d,"from":%d,"to":%d,"events":[`, strconv.Quote(epoch), partition, b.from(), b.to())
	for i := range b.items {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, b.items[i].json...)
	}
	return append(body, "]}"...)
}
