package history

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// reading is one read of a channel in one epoch.
type reading struct {
	*Reader
	q  *Query
	at location // no generation: nothing is stored, or of use

	// untouched: ClickHouse has no changes of the messages that are folded.
	untouched bool

	changes []changes.Record // from at.end up to the end of the query, ascending
	log     *tailRead        // of all that is above at.end; nil: it was not read
}

// stored is the end of what is read from ClickHouse.
func (x *reading) stored() int64 {
	if x.at.generation == 0 {
		return 0
	}
	return min(x.at.end, x.q.End)
}

// readChanges gets the changes that are not in ClickHouse: those that the query
// knows, else the log's.
func (x *reading) readChanges(ctx context.Context) (err error) {
	q, from := x.q, x.at.end
	if from >= q.End {
		return nil
	}
	if q.KnownFrom <= from {
		bySeq := func(c changes.Record, seq int64) int { return int(c.Seq - seq) }
		i, _ := slices.BinarySearchFunc(q.Known, from, bySeq)
		j, _ := slices.BinarySearchFunc(q.Known, q.End, bySeq)
		x.changes = q.Known[i:j]
		return nil
	}
	if x.log, err = x.tail().await(ctx, q, from, q.End); err == nil {
		x.changes = x.log.changesOf(q, from, q.End)
	}
	return err
}

func (x *reading) tail() *tail {
	return x.tails[schema.PartitionOf(x.q.Channel, x.cfg.Epoch.Partitions)]
}

// pages reads the parts of a page, as the changes of their messages left them.
func (x *reading) pages(ctx context.Context) (Page, error) {
	var parts []part
	for _, s := range x.q.spans() {
		p, err := x.readSpan(ctx, s)
		if err == nil {
			err = x.fold(ctx, &p, s)
		}
		if err != nil {
			return Page{}, err
		}
		parts = append(parts, p)
	}
	page := x.q.page(parts)
	return page, x.records(ctx, &page)
}

// readSpan reads what ClickHouse has of s, and the log above it.
func (x *reading) readSpan(ctx context.Context, s span) (part, error) {
	low, high := s, s // below and above the end of what ClickHouse has
	low.to = min(s.to, x.stored())
	high.from = max(s.from, x.at.end)
	ended := int64(-1)
	if err := x.narrow(ctx, &low, &ended); err != nil {
		return part{}, err
	}
	var rows, logged []rpc.Message
	readRows := func(ctx context.Context) (err error) { rows, err = x.store.rows(ctx, x.q, low, x.at); return err }
	readLog := func(ctx context.Context) (err error) { logged, err = x.readLog(ctx, high); return err }
	err := error(nil)
	if s.newest {
		err = both(ctx, readRows, readLog)
	} else if err = readRows(ctx); err == nil && !s.full(rows) && ended < 0 {
		err = readLog(ctx)
	}
	if err != nil {
		return part{}, err
	}
	p := s.cut(s.pick(append(rows, logged...)))
	if x.q.few() {
		p.goOn(&s, ended)
	}
	return p, nil
}

// both runs two reads at once, and returns the first error.
func both(ctx context.Context, a, b func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a(ctx) })
	g.Go(func() error { return b(ctx) })
	return g.Wait()
}

// tailGrowth is how much further each step into the log reaches.
const tailGrowth = 8

// readLog reads s from the log, in growing steps from the end that is asked
// for: what is wanted is most often near it, however long the tail is.
func (x *reading) readLog(ctx context.Context, s span) ([]rpc.Message, error) {
	if s.from >= s.to {
		return nil, nil
	}
	if x.log != nil {
		return s.pick(x.log.messages(x.q, s)), nil
	}
	for reach := x.cfg.TailStep; ; reach *= tailGrowth {
		step := s
		if s.newest {
			step.from = max(s.from, s.to-reach)
		} else {
			step.to = min(s.to, s.from+reach)
		}
		messages, err := x.tail().read(ctx, x.q, step)
		if err != nil {
			return nil, err
		}
		if found := s.pick(messages); s.full(found) || step == s {
			return found, nil
		}
	}
}
