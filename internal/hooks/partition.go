package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// finalSave is how long a partition that is given up may take to write its
// checkpoint; less than the group's rebalance time-out.
const finalSave = 2 * time.Second

// partition is one partition of parley.events while this process owns it. It is for
// one goroutine, but for read.
type partition struct {
	h          *Hooks
	assignment eventlog.Assignment
	id         int
	translator *translator
	checkpoint *checkpoint
	readFrom   int64

	batch   batch
	end     int64 // of the log, when it was read last
	acked   int64 // the receiver has everything below
	refusal refusal
	// What was written of it, and when.
	position     int64
	positioned   time.Time
	checkpointed time.Time
}

// servePartition owns a partition until ctx ends.
func (h *Hooks) servePartition(ctx context.Context, a eventlog.Assignment) error {
	c, t, err := h.takeOver(ctx, a.Partition)
	if err != nil {
		return err
	}
	defer func() { _ = c.producer.Close() }()
	p := &partition{h: h, assignment: a, id: a.Partition, translator: t, checkpoint: c, readFrom: t.members.ReadFrom(), acked: t.members.Next(), refusal: c.refusal, checkpointed: time.Now()}
	h.log.Info("serving a partition", "partition", p.id, "offset", p.acked, "sends_from", t.from.next)
	h.serving.Add(1)
	h.served.Store(true)
	defer h.serving.Add(-1)
	defer h.metrics.lags.Forget(p.id)
	defer h.troubles.end(p.id)
	return p.run(ctx)
}

type fetched struct {
	batch eventlog.Batch
	err   error
}

// run serves the partition until ctx ends, and then leaves it in order.
func (p *partition) run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	batches, stopped := make(chan fetched), make(chan struct{})
	known := epoch.Tail{Partition: p.id, Offset: p.translator.members.Next() - 1, Digest: p.translator.members.Digest()}
	go func() {
		defer close(stopped)
		p.read(reading, known, batches)
	}()
	err := p.loop(ctx, batches)
	stop()
	<-stopped
	if ctx.Err() == nil {
		return err
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalSave)
	defer cancel()
	return p.save(leaving)
}

// read hands over what the log holds from readFrom on, one fetch ahead of the loop,
// until ctx ends or the reader fails. On every new connection it sees that the
// log is the one that was read before.
func (p *partition) read(ctx context.Context, known epoch.Tail, batches chan<- fetched) {
	r := p.h.client.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicEvents, Partition: p.id, Offset: p.readFrom,
		OnReconnect: func(ctx context.Context) error {
			if err := p.h.epoch.Check(ctx, p.h.client); err != nil {
				return err
			}
			return known.Check(ctx, p.h.client)
		},
	})
	defer func() { _ = r.Close() }()
	for {
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		if errors.As(err, &corrupt) {
			p.skipCorrupt(corrupt.Offset, err)
			batch, err = eventlog.Batch{NextOffset: corrupt.NextOffset}, nil
		}
		known.MoveTo(batch)
		select {
		case batches <- fetched{batch, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *partition) skipCorrupt(offset int64, err error) {
	p.h.metrics.corrupt.Add(1, schema.TopicEvents)
	p.h.log.Warn("skipping a corrupt record", "topic", schema.TopicEvents, "partition", p.id, "offset", offset, "error", err)
}

// loop sends what is read and writes now and then how far it is. It returns
// when ctx ends.
func (p *partition) loop(ctx context.Context, batches <-chan fetched) error {
	tick := time.NewTicker(p.h.timing.position)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-batches:
			if f.err != nil {
				return readError(ctx, f.err)
			}
			if err := p.take(ctx, &f.batch); err != nil {
				return err
			}
		case <-tick.C:
		}
		if err := p.saveIfDue(ctx); err != nil {
			return err
		}
	}
}

// readError adds to the error of a log that can no longer be read what to do.
func readError(ctx context.Context, err error) error {
	var gone *eventlog.OffsetError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &gone):
		return epoch.Unreadable(gone)
	case errors.Is(err, eventlog.ErrLogReplaced):
		return epoch.Replaced(err)
	}
	return err
}

// take sends what a fetch has brought.
func (p *partition) take(ctx context.Context, fetched *eventlog.Batch) error {
	p.end = max(p.end, fetched.End, fetched.NextOffset)
	p.showLag()
	for i := range fetched.Records {
		rec := &fetched.Records[i]
		if p.batch.full(0) {
			if err := p.send(ctx, rec.Offset); err != nil {
				return err
			}
			if err := p.saveIfDue(ctx); err != nil {
				return err
			}
		}
		items, err := p.translator.take(rec)
		if errors.Is(err, schema.ErrCorrupt) {
			p.skipCorrupt(rec.Offset, err)
			continue
		}
		if err != nil {
			return err
		}
		for _, it := range items {
			if p.batch.full(len(it.json)) {
				if err := p.send(ctx, rec.Offset); err != nil {
					return err
				}
			}
			p.batch.add(it)
		}
	}
	p.translator.members.Advance(fetched.NextOffset)
	return p.send(ctx, fetched.NextOffset)
}

func (p *partition) showLag() { p.h.metrics.lags.Set(p.id, p.end-p.acked) }

// send sends the batch, if there is any, as often as it takes. From then on the
// receiver has everything below acked. Its error is that of ctx or of the log.
func (p *partition) send(ctx context.Context, acked int64) error {
	if !p.batch.empty() {
		if err := p.deliver(ctx); err != nil {
			return err
		}
		p.batch.clear()
		p.refusal = refusal{}
	}
	p.acked = max(p.acked, acked)
	p.showLag()
	return nil
}

func (p *partition) deliver(ctx context.Context) error {
	body := p.batch.body(p.h.epoch.Epoch, p.id)
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.h.timing.firstRetry),
		backoff.WithMaxInterval(p.h.timing.longestRetry), backoff.WithMaxElapsedTime(0))
	for {
		if p.h.gone.Load() {
			<-ctx.Done()
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tried := time.Now()
		result, err := p.post(ctx, body)
		if err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
		p.h.metrics.requests.Record(time.Since(tried).Seconds(), result)
		switch {
		case err == nil:
			p.h.metrics.sent(p.batch.items)
			p.h.events.Add(int64(len(p.batch.items)))
			p.h.requests.Add(1)
			p.h.troubles.end(p.id)
			return nil
		case result == webhook.Gone:
			p.stopAll(err)
			continue
		}
		p.h.troubles.begin(p.id, &p.batch, err)
		waits := len(p.batch.items)
		if err := p.afterRefusal(ctx, tried, err, wait); err != nil {
			return err
		}
		if p.batch.empty() {
			return nil
		}
		if len(p.batch.items) < waits {
			body = p.batch.body(p.h.epoch.Epoch, p.id)
		}
	}
}

// post makes a request whose answer is waited for a little longer than ctx lasts: else
// what was taken as this role stops would be sent again.
func (p *partition) post(ctx context.Context, body []byte) (webhook.Result, error) {
	answer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(p.h.timing.lastAnswer, cancel) })()
	return p.h.receiver.Post(answer, messageID(body), body)
}

// stopAll ends sending under this name: the receiver wants no more.
func (p *partition) stopAll(err error) {
	if p.h.gone.CompareAndSwap(false, true) {
		p.h.log.Error("the receiver wants no more events: nothing is sent until this role is started again", "error", err, "partition", p.id, "from", p.batch.from())
	}
}

// saveIfDue writes how far the receiver is, and the whole checkpoint less often.
// It is for when nothing waits to be sent.
func (p *partition) saveIfDue(ctx context.Context) error {
	switch now := time.Now(); {
	case now.Sub(p.checkpointed) >= p.h.timing.checkpoint && p.translator.members.Changed():
		return p.save(ctx)
	case now.Sub(p.positioned) >= p.h.timing.position && p.acked > p.position:
		return p.savePosition(ctx)
	}
	return nil
}

// savePosition writes up to where the receiver has everything. A position below where
// sending begins says nothing.
func (p *partition) savePosition(ctx context.Context) error {
	from := &p.translator.from
	if from.time == 0 {
		from.next = max(from.next, p.acked)
	}
	refusedFor, refusedBelow := p.refusal.kept()
	err := p.checkpoint.position(ctx, &schema.HooksFrom{
		Next: from.next, Time: from.time, Epoch: p.h.epoch.Epoch, RefusedFor: refusedFor, RefusedBelow: refusedBelow,
	})
	if err == nil {
		p.position, p.positioned = p.acked, time.Now()
	}
	return err
}

// save writes the checkpoint, or the position alone where the members are ahead of
// what the receiver has.
func (p *partition) save(ctx context.Context) error {
	if err := p.savePosition(ctx); err != nil {
		return err
	}
	members := p.translator.members
	if !p.batch.empty() || members.Next() != p.acked || !members.Changed() {
		return nil
	}
	records, err := members.Flush(time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if _, err := p.checkpoint.write(ctx, records...); err != nil {
		return fmt.Errorf("write the checkpoint of partition %d: %w", p.id, err)
	}
	p.checkpointed = time.Now()
	p.commit(ctx)
	return nil
}

// commit commits the position to the group. Only tools that measure lag read it.
func (p *partition) commit(ctx context.Context) {
	if err := p.assignment.Commit(ctx, p.acked); err != nil {
		p.h.log.Debug("cannot commit the group's offset", "partition", p.id, "offset", p.acked, "error", err)
	}
}
