package projector

import (
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/tracing"
)

// block is a batch of rows of all partitions, by column, and the watermarks to
// write after them.
type block struct {
	partition []int32
	channel   []string
	seq       []int64
	kind      []string
	user, to  []string
	id, body  []string
	session   []string
	connector []string
	time      []int64
	reason    []string
	void      []uint8
	trace     []string
	version   []int32
	more      []*more // of each row
	spans     []tracing.Span
	bytes     int
	richer    bool  // a row has more
	changed   []int // the rows that change messages
	marks     map[int32]watermark
	oldest    map[int32]int64 // when each partition's first event was published, Unix milliseconds
}

func newBlock() *block { return &block{marks: map[int32]watermark{}, oldest: map[int32]int64{}} }

func (b *block) empty() bool { return len(b.marks) == 0 }

// age is how old the block may get before it is written: least, or where more rows
// would make the insert worth more, longer.
func (b *block) age(least time.Duration) time.Duration {
	if n := len(b.seq); n < hardlyAny || n >= worthRows || b.bytes >= worthSize {
		return least
	}
	return stretch * least
}

// add appends a partition's next rows.
func (b *block) add(partition int32, from batch) {
	for i := range from.rows {
		b.append(&from.rows[i])
	}
	b.bytes += from.bytes
	if _, known := b.oldest[partition]; !known && len(from.rows) > 0 {
		b.oldest[partition] = from.rows[0].time
	}
	b.spans = append(b.spans, from.spans...)
	if w, ok := b.marks[partition]; !ok || w.seq < from.upTo.seq {
		b.marks[partition] = from.upTo
	}
}

func (b *block) append(r *row) {
	b.partition = append(b.partition, r.partition)
	b.channel = append(b.channel, r.channel)
	b.seq = append(b.seq, r.seq)
	b.kind = append(b.kind, r.kind)
	b.user = append(b.user, r.user)
	b.to = append(b.to, r.to)
	b.id = append(b.id, r.id)
	b.body = append(b.body, r.body)
	b.session = append(b.session, r.session)
	b.connector = append(b.connector, r.connector)
	b.time = append(b.time, r.time)
	b.reason = append(b.reason, r.reason)
	b.void = append(b.void, flagged(r.void))
	b.trace = append(b.trace, r.trace)
	b.version = append(b.version, r.version)
	b.more = append(b.more, r.more)
	if r.more != nil {
		b.richer = true
	}
	if r.changes() && !r.void {
		b.changed = append(b.changed, len(b.seq)-1)
	}
}

// columns are the rows, and the names of the columns: without those that no row
// has anything in.
func (b *block) columns(epoch string) (names []string, columns []any) {
	columns = []any{slices.Repeat([]string{epoch}, len(b.seq)), b.partition, b.channel, b.seq, b.kind, b.user, b.to, b.id, b.body,
		b.session, b.connector, b.time, b.reason, b.void, b.trace, b.version}
	if !b.richer {
		return eventColumns, columns
	}
	return slices.Concat(eventColumns, moreColumns), append(columns, b.moreColumns()...)
}

// watermarks are the watermarks in the order of watermarkColumns.
func (b *block) watermarks(epoch string, now time.Time) []any {
	n := len(b.marks)
	partition, seq, digest := make([]int32, 0, n), make([]int64, 0, n), make([]uint64, 0, n)
	format := make([]int32, 0, n)
	for p, w := range b.marks {
		partition, seq, digest, format = append(partition, p), append(seq, w.seq), append(digest, w.digest), append(format, w.format)
	}
	return []any{slices.Repeat([]string{epoch}, n), partition, seq, digest, format, slices.Repeat([]int64{now.UnixMilli()}, n)}
}

// reset empties the block and keeps its memory, but none of the strings.
func (b *block) reset() {
	for _, c := range []*[]string{&b.channel, &b.kind, &b.user, &b.to, &b.id, &b.body, &b.session, &b.connector, &b.reason, &b.trace} {
		clear(*c)
		*c = (*c)[:0]
	}
	b.partition, b.seq, b.time, b.void, b.version = b.partition[:0], b.seq[:0], b.time[:0], b.void[:0], b.version[:0]
	clear(b.more)
	b.more, b.changed, b.richer, b.bytes = b.more[:0], b.changed[:0], false, 0
	clear(b.spans)
	b.spans = b.spans[:0]
	clear(b.marks)
	clear(b.oldest)
}
