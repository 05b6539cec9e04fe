package projector

import (
	"errors"

	"github.com/cespare/xxhash/v2"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

// watermark says up to which offset of a partition everything is in ClickHouse.
type watermark struct {
	seq    int64  // -1: nothing
	digest uint64 // of the record at seq; 0: unknown
	format int32  // in force after seq
}

// batch is what a row builder made of some records of one partition.
type batch struct {
	rows  []row
	bytes int
	upTo  watermark
	spans []tracing.Span // of the records of sampled traces, until they are written
}

// rowBuilder turns the records of one partition into rows. It is pure: the rows
// are a function of the log. Not safe for concurrent use.
type rowBuilder struct {
	log       epoch.Log
	partition int
	from      watermark // rows up to there exist
	window    *schema.VoidWindow
	guard     schema.FormatGuard
	out       batch
	handed    int64 // offset up to which drain returned everything
}

// newRowBuilder returns a row builder that makes the rows after from. It must be given
// the records from one window before that on.
func newRowBuilder(log epoch.Log, partition int, from watermark) *rowBuilder {
	return &rowBuilder{
		log: log, partition: partition, from: from,
		window: schema.NewVoidWindow(log.Window), guard: schema.FormatGuard{InForce: max(from.format, log.Format)},
		out: batch{upTo: from}, handed: from.seq,
	}
}

// apply takes the next record. The error is schema.ErrCorrupt, after which the
// next record can be applied, a *schema.NewerError or an *epoch.Refused.
func (f *rowBuilder) apply(rec *eventlog.Record) error {
	digest := xxhash.Sum64(rec.Value)
	if rec.Offset == f.from.seq && f.from.digest != 0 && digest != f.from.digest {
		return epoch.Refuse("offset %d of partition %d of %s is not the record that ClickHouse has of it: the log lost its end and grew again; "+epoch.Remedy,
			rec.Offset, f.partition, schema.TopicEvents)
	}
	e, err := schema.DecodeEvent(rec.Value)
	if err != nil && !errors.Is(err, schema.ErrCorrupt) {
		return err
	}
	if err == nil {
		if err := f.guard.Judge(rec.Offset, e); err != nil {
			return err
		}
	}
	void := err == nil && f.window.Judge(rec.Offset, e)
	if rec.Offset <= f.from.seq {
		return nil // whoever made its row has dealt with what is wrong with it
	}
	f.out.upTo = watermark{rec.Offset, digest, f.guard.InForce}
	if err != nil {
		return err
	}
	if r, ok := rowOf(rec.Offset, e); ok {
		r.partition, r.void, r.version = int32(f.partition), void, f.guard.InForce
		f.out.rows = append(f.out.rows, r)
		f.out.bytes += r.size()
	}
	return nil
}

// skip records that there is nothing up to offset seq.
func (f *rowBuilder) skip(seq int64) {
	if seq > f.out.upTo.seq {
		f.out.upTo = watermark{seq: seq, format: f.guard.InForce}
	}
}

// drain returns what was made since the last call; false when there is nothing
// new. The caller owns it until the next call of apply.
func (f *rowBuilder) drain() (batch, bool) {
	out, fresh := f.out, f.out.upTo.seq > f.handed
	f.handed = f.out.upTo.seq
	f.out.rows, f.out.bytes, f.out.spans = f.out.rows[:0], 0, f.out.spans[:0]
	return out, fresh
}
