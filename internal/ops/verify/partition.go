package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// pass is one partition's way through the log.
type pass struct {
	v          *verification
	partition  int
	first, end int64 // what the log holds
	stored     *checkpoint
	mark       watermark

	window *schema.VoidWindow
	guard  schema.FormatGuard
	rows   *rowCheck
	chains chains
	folded *folded // nil: it cannot be folded from its beginning
}

// partition compares one partition. What the others hold is read before the
// log's end, so that all of it must be in the log.
func (v *verification) partition(ctx context.Context, partition int) (err error) {
	p := &pass{v: v, partition: partition, window: schema.NewVoidWindow(v.log.Window), guard: schema.FormatGuard{InForce: v.log.Format}, chains: chains{}}
	if p.stored, err = v.checkpoint(ctx, partition); err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	if p.mark, err = v.store.watermark(ctx, partition); err != nil {
		return err
	}
	newest, err := v.store.newestRow(ctx, partition)
	if err != nil {
		return err
	}
	if p.first, p.end, err = v.cfg.Kafka.Offsets(ctx, schema.TopicEvents, partition); err != nil {
		return err
	}
	p.compareEnds(newest)
	rows := v.store.rows(ctx, partition, min(p.mark.seq, p.end-1))
	defer func() { err = errors.Join(err, rows.close()) }()
	p.rows = &rowCheck{partition: partition, rows: rows, out: v.out}
	if p.first == 0 {
		p.folded = newFolded(fold.Log{Partition: int32(partition), Epoch: v.log.Epoch, TopicID: v.log.TopicID, Window: v.log.Window})
	}
	if p.first > 0 {
		p.guard.InForce = max(p.guard.InForce, p.mark.format)
		if err := p.rows.skip(p.first - 1); err != nil {
			return err
		}
	}
	if err := p.scan(ctx); err != nil {
		return err
	}
	return p.finish(ctx)
}

// compareEnds reports what lies outside of the log.
func (p *pass) compareEnds(newestRow int64) {
	out := p.v.out
	p.v.out.report.Behind += max(0, p.end-1-p.mark.seq)
	if p.first > 0 {
		out.differ(PlaceLog, p.partition, p.first, "", "the log begins here: older events were deleted, what is derived from them is not compared")
	}
	if p.mark.seq >= p.end {
		out.differ(PlaceHistory, p.partition, p.mark.seq, "", "the watermark is beyond the log, which ends at %d", p.end)
	}
	if newestRow >= p.end {
		out.differ(PlaceHistory, p.partition, newestRow, "", "there is a row beyond the log, which ends at %d", p.end)
	}
	m := p.stored.marker
	if m == nil {
		return
	}
	if m.Epoch != p.v.log.Epoch {
		out.differ(PlaceEpoch, p.partition, None, "", "the checkpoint is of epoch %s, the log is %s", m.Epoch, p.v.log.Epoch)
	} else if string(m.TopicId) != string(p.v.log.TopicID[:]) {
		out.differ(PlaceEpoch, p.partition, None, "", "the checkpoint is of topic %x, the log is %x", m.TopicId, p.v.log.TopicID)
	}
	if m.Next > p.end {
		out.differ(PlaceCheckpoint, p.partition, m.Next, "", "the marker is beyond the log, which ends at %d", p.end)
	}
}

// scan reads the log as far as something is derived from it.
func (p *pass) scan(ctx context.Context) error {
	until := min(p.end, max(p.mark.seq+1, p.stored.next()))
	r := p.v.cfg.Kafka.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: p.partition, TopicID: p.v.log.TopicID, Offset: p.first, MaxBytes: fetchBytes,
	})
	defer r.Close()
	for next := p.first; next < until; {
		p.v.progress(p.partition, next, until, false)
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) { // every consumer skips it
			next = corrupt.NextOffset
			continue
		}
		if err != nil {
			return err
		}
		for i := range batch.Records {
			if rec := &batch.Records[i]; rec.Offset < until {
				if err := p.record(rec); err != nil {
					return err
				}
			}
		}
		next = batch.NextOffset
	}
	p.v.progress(p.partition, until, until, true)
	return nil
}

// fetchBytes is how much of the log is fetched at once.
const fetchBytes = 4 << 20

// record compares one record with what was made of it.
func (p *pass) record(rec *eventlog.Record) error {
	p.v.out.report.Events++
	p.compareDigests(rec)
	e, err := schema.DecodeEvent(rec.Value)
	if errors.Is(err, schema.ErrCorrupt) {
		return p.row(rec.Offset, nil, false)
	}
	if err != nil {
		return err
	}
	if err := p.guard.Judge(rec.Offset, e); err != nil {
		return err
	}
	void := p.window.Judge(rec.Offset, e)
	p.compareFormats(rec.Offset)
	if err := p.row(rec.Offset, e, void); err != nil {
		return err
	}
	return p.fold(rec.Offset, e)
}

// compareDigests compares the records that others remember with the log's.
func (p *pass) compareDigests(rec *eventlog.Record) {
	if rec.Offset == p.mark.seq && p.mark.digest != 0 && xxhash.Sum64(rec.Value) != p.mark.digest {
		p.v.out.differ(PlaceHistory, p.partition, rec.Offset, "", "the watermark remembers a different record: the log lost its end and grew again")
	}
	if m := p.stored.marker; m != nil && rec.Offset == m.Next-1 && m.Digest != 0 && xxhash.Sum64(rec.Value) != m.Digest {
		p.v.out.differ(PlaceCheckpoint, p.partition, rec.Offset, "", "the marker remembers a different record: the log lost its end and grew again")
	}
}

// compareFormats compares the formats that others have in force after an offset
// with the log's.
func (p *pass) compareFormats(offset int64) {
	if offset == p.mark.seq && p.mark.format != p.guard.InForce {
		p.v.out.differ(PlaceHistory, p.partition, offset, "", "the watermark has format %d in force, the log format %d", p.mark.format, p.guard.InForce)
	}
	if m := p.stored.marker; m != nil && offset == m.Next-1 && m.Format != p.guard.InForce {
		p.v.out.differ(PlaceCheckpoint, p.partition, offset, "", "the marker has format %d in force, the log format %d", m.Format, p.guard.InForce)
	}
}

// row compares the row of an event, nil for a record that is not an event.
func (p *pass) row(offset int64, e *schema.Event, void bool) error {
	if offset > p.mark.seq {
		return nil
	}
	if e == nil {
		return p.rows.event(offset, nil)
	}
	if offset >= p.first+p.v.log.Window || p.first == 0 {
		p.chains.event(offset, e, void)
		if want, ok := expectedRow(offset, e, void, p.guard.InForce); ok {
			return p.rows.event(offset, &want)
		}
		return p.rows.event(offset, nil)
	}
	return p.rows.skip(offset) // what would make it void may be deleted
}

func (p *pass) fold(offset int64, e *schema.Event) error {
	if p.folded == nil || offset >= p.stored.next() {
		return nil
	}
	err := p.folded.apply(offset, e)
	var foreign *fold.MismatchError
	if errors.As(err, &foreign) { // its marker was reported
		p.folded = nil
		return nil
	}
	return err
}

// changes compares the changes by message with the events, which were compared with
// the log.
func (p *pass) changes(ctx context.Context) error {
	c := changesCheck{s: p.v.store, partition: p.partition, upTo: min(p.mark.seq, p.end-1)}
	return c.run(ctx, func(seq int64, channel, what string) {
		p.v.out.differ(PlaceHistory, p.partition, seq, channel, "%s", what)
	})
}

// finish compares what needs the whole partition.
func (p *pass) finish(ctx context.Context) error {
	if err := p.rows.finish(); err != nil {
		return err
	}
	if err := p.changes(ctx); err != nil {
		return err
	}
	if p.first == 0 {
		stored, err := p.v.store.chains(ctx, p.partition, min(p.mark.seq, p.end-1))
		if err != nil {
			return err
		}
		compareChains(p.partition, p.chains, stored, p.v.out)
	}
	if p.folded == nil {
		return nil
	}
	if err := p.folded.gather(); err != nil {
		return err
	}
	(&stateCheck{partition: p.partition, stored: p.stored, want: p.folded.values, out: p.v.out}).run()
	return nil
}

// checkpoint reads a partition of parley.state. It reads on to where the
// partition ended when everything before was read: what compaction removed
// meanwhile is superseded below that.
func (v *verification) checkpoint(ctx context.Context, partition int) (*checkpoint, error) {
	c := newCheckpoint()
	first, end, err := v.cfg.Kafka.Offsets(ctx, schema.TopicState, partition)
	for from := first; err == nil && from < end; {
		err = v.cfg.Kafka.ReadRange(ctx, schema.TopicState, partition, from, end, 0, func(r eventlog.Record) error {
			return c.add(string(r.Key), bytes.Clone(r.Value)) // not the whole batch that it came in
		})
		if err == nil {
			from = end
			_, end, err = v.cfg.Kafka.Offsets(ctx, schema.TopicState, partition)
		}
	}
	return c, err
}
