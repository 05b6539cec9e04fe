package sim

import (
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// owner is one life of one owner of a partition: the newest one, or one that
// does not know that it is not.
type owner struct {
	w      *world
	log    *log
	fold   *fold.Fold
	next   int64 // of the log, to apply
	pushes *producer
	open   *barrier
	flush  *flush // under way; nil: none
}

// barrier counts the pushes that are not acknowledged.
type barrier struct{ missing int }

// flush is a checkpoint that is being written.
type flush struct {
	records []fold.Record
	pushes  *barrier // that come first
}

func (w *world) newOwner(l *log) *owner {
	checkpoint := fold.NewCheckpoint()
	for key, value := range w.state[l.partition] {
		if key = w.misread(key); key == "" {
			continue
		}
		checkpoint.Put(fold.Record{Key: key, Value: value})
	}
	f, err := fold.Restore(fold.Log{Partition: int32(l.partition), Epoch: logEpoch, Window: voidWindow}, checkpoint)
	if err != nil {
		w.fail("restore partition %d: %v", l.partition, err)
	}
	o := &owner{w: w, log: l, fold: f, next: f.ReadFrom(), open: &barrier{}}
	switch {
	case w.plant == plantOneWindow:
		o.next = max(0, f.Next()-voidWindow)
	case w.plant == plantWindowShort && o.next > 0:
		o.next++
	}
	o.pushes = &producer{write: w.writePush, firm: true}
	if f.Next() > 2*voidWindow {
		w.count("restored after two windows")
	}
	w.tracef("partition %d: an owner restores at %d and reads from %d", l.partition, f.Next(), o.next)
	return o
}

// apply takes the next record of the log.
func (o *owner) apply() bool {
	if o.next >= o.log.end() {
		return false
	}
	r := o.log.records[o.next]
	o.next++
	e, err := schema.DecodeEvent(r.value)
	if err != nil {
		o.fold.Advance(o.next)
		return true
	}
	outs, err := o.fold.Apply(o.next-1, e)
	if err != nil {
		o.w.fail("apply %d of partition %d: %v", o.next-1, o.log.partition, err)
	}
	for _, out := range outs {
		o.send(out)
	}
	return true
}

func (o *owner) send(out fold.Out) {
	o.spoil(out.Push)
	barrier := o.open
	barrier.missing++
	record := eventlog.Record{Key: []byte(out.Push.Connector), Value: encode(out.Push)}
	err := o.pushes.Produce(int(out.PushPartition), record, func(_ int64, err error) {
		if err == nil {
			barrier.missing--
		}
	})
	if err != nil {
		o.w.fail("send a push: %v", err)
	}
}

// skipLink has changes follow the one before the one that they follow.
func skipLink(p *schema.Push) {
	for _, u := range p.Updates {
		if c := u.GetChanged(); c != nil && c.Cprev > 0 {
			c.Cprev--
		}
	}
}

// checkpoint begins a flush, or writes n more records of it.
func (o *owner) checkpoint(n int) {
	if o.flush == nil {
		if !o.fold.Changed() {
			return
		}
		records, err := o.fold.Flush(0)
		if err != nil {
			o.w.fail("flush partition %d: %v", o.log.partition, err)
		}
		o.flush = &flush{records, o.open}
		o.open = &barrier{}
		return
	}
	if o.flush.pushes.missing > 0 && o.w.plant != plantEarlyMarker {
		return
	}
	state := o.w.state[o.log.partition]
	for _, r := range o.flush.records[:min(n, len(o.flush.records))] {
		if _, _, is := schema.StateSanctionOf(r.Key); is && r.Value == nil && o.w.plant == plantLiftLost {
			continue
		}
		if r.Value == nil {
			delete(state, r.Key)
		} else {
			state[r.Key] = r.Value
		}
	}
	o.flush.records = o.flush.records[min(n, len(o.flush.records)):]
	if len(o.flush.records) == 0 {
		o.w.tracef("partition %d: a checkpoint is complete", o.log.partition)
		o.w.count("checkpoints")
		o.flush = nil
	}
}

// takeOver gives a partition to a new owner. The one before is dead, or does
// not know; then it goes on, and is fenced when it writes its state.
func (w *world) takeOver(partition int, dead bool) {
	old := w.owners[partition]
	if old.flush != nil && old.flush.pushes.missing == 0 {
		w.count("takeovers in a flush")
	}
	w.owners[partition] = w.newOwner(w.logs[partition])
	switch {
	case dead:
		w.tracef("partition %d: the owner crashed", partition)
		old.pushes.closed = true
		w.stragglers = append(w.stragglers, old.pushes)
	default:
		w.tracef("partition %d: the owner is a zombie", partition)
		w.zombies = append(w.zombies, old)
	}
}

// stepZombie lets a former owner go on.
func (w *world) stepZombie(i int) {
	z := w.zombies[i]
	switch w.rng.IntN(6) {
	case 0:
		if w.plant == plantUnfenced {
			z.checkpoint(100)
			return
		}
		if z.flush != nil || z.fold.Changed() { // it is fenced, and ends
			w.zombies = append(w.zombies[:i:i], w.zombies[i+1:]...)
			z.pushes.closed = true
			w.stragglers = append(w.stragglers, z.pushes)
		}
	case 1, 2:
		z.apply()
	default:
		w.stepProducer(z.pushes)
	}
}
