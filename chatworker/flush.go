package chatworker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
)

// flushIfDue takes a snapshot of what changed, when it is time and no flush is
// under way, and has it written while the loop continues.
func (p *partition) flushIfDue(ctx context.Context) error {
	if p.flushing != nil || time.Since(p.lastFlush) < p.w.cfg.FlushEvery || !p.fold.Changed() {
		return nil
	}
	write, err := p.snapshot()
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	p.flushing = result
	go func() { result <- write(ctx) }()
	return nil
}

// errTooLate ends a flush when the partition has to be given up.
var errTooLate = errors.New("there was no time left to write the state: the partition's next owner repeats some pushes")

// leave ends the flush under way and writes what changed since. A partition
// whose state could not be written in time is given up all the same: its next
// owner repeats some pushes.
func (p *partition) leave(ctx context.Context) error {
	if p.flushing != nil {
		err := <-p.flushing
		if p.flushing = nil; err != nil {
			return err
		}
	}
	if p.ahead || !p.fold.Changed() {
		return nil
	}
	write, err := p.snapshot()
	if err != nil {
		return err
	}
	return write(ctx)
}

// snapshot takes what changed out of the fold and returns a function that
// writes it: first it waits until every push up to here is acknowledged.
func (p *partition) snapshot() (write func(context.Context) error, err error) {
	next := p.fold.Next()
	records, err := p.fold.Flush(time.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	acknowledged := p.out.seal()
	p.lastFlush = time.Now()
	return func(ctx context.Context) (err error) {
		began := time.Now()
		defer func() { p.w.metrics.flushed(time.Since(began), len(records), err) }()
		select {
		case <-acknowledged:
		case <-ctx.Done():
			return fmt.Errorf("wait for the acknowledgement of pushes: %w", context.Cause(ctx))
		}
		if err := p.write(ctx, records); err != nil {
			return fmt.Errorf("write the state of partition %d: %w", p.assignment.Partition, err)
		}
		p.commit(ctx, p.assignment, next)
		return nil
	}, nil
}

func (p *partition) write(ctx context.Context, records []fold.Record) error {
	entries := make([]entry, len(records))
	for i, r := range records {
		entries[i] = entry{partition: p.assignment.Partition, key: []byte(r.Key), value: r.Value}
	}
	last, err := appendAll(ctx, p.state, entries...)
	if err != nil {
		return err
	}
	p.stateEnd = last + 1
	return nil
}

// commit commits the offset of the state to the group. Only tools that measure lag
// read it, so a failure, as after a rebalance, is of no consequence.
func (p *partition) commit(ctx context.Context, a eventlog.Assignment, next int64) {
	if err := a.Commit(ctx, next); err != nil {
		p.w.log.Debug("cannot commit the group's offset", "partition", a.Partition, "offset", next, "error", err)
	}
}
