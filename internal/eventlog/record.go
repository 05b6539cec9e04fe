package eventlog

import "time"

// Header is one named value that travels beside a record's key and value.
type Header struct {
	Key   string
	Value []byte
}

// Record is one entry of a partition.
//
// A record given to [Producer.Produce] is copied before the call returns; its
// Offset and Time are ignored, because the log assigns the one and the
// producer's clock the other. A record that was read belongs to the caller.
// The byte slices of all records of one [Batch] share one buffer, so keeping
// any of them keeps the whole batch in memory.
type Record struct {
	Offset  int64     // position in the partition
	Time    time.Time // when the producer enqueued it, in milliseconds
	Key     []byte    // nil when the record has none
	Value   []byte    // nil marks a tombstone in a compacted topic
	Headers []Header
}

// size counts the bytes that the record's own data takes.
func (r *Record) size() int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Batch is what one call of [Reader.Next] found.
type Batch struct {
	// Records are in offset order. There may be none when the log was compacted
	// and only the position moved.
	Records []Record
	// NextOffset is where reading continues: above the last record, and above
	// any hole after it.
	NextOffset int64
	// End is the partition's end as the broker knew it: the offset that the
	// next committed record will get.
	End int64
}
