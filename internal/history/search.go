package history

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/words"
)

// Search asks for messages of several channels by their words, newest first: by epoch,
// then time, channel and seq. They are found by what ClickHouse has of them, so by what
// a projector has written; what they say is as of the end of the log.
type Search struct {
	Words    words.Query
	Channels []string
	// User sees public messages, and the private ones from or to it.
	User string
	// Everyone asks for the private messages of all users; User is not used.
	Everyone bool
	// Author asks for what one user said; "": for any.
	Author string
	// From and To bound the times, in milliseconds; To is exclusive, and 0: none.
	From, To int64
	// Before is where the search goes on; the zero Place: from the newest.
	Before Place
	Limit  int
	// Bytes of text at most, but one message at least.
	Bytes int

	// Of is what is known of a channel, as for a Query of its messages; false: the
	// channel is left out. It is called by several goroutines.
	Of func(channel string) (Query, bool)
}

// Place is where a message is in the order of a search.
type Place struct {
	Epoch   string
	Time    int64
	Channel string
	Seq     int64
}

// Hit is a message that was found.
type Hit struct {
	rpc.Message
	Epoch string // in which its seq counts
	// At are the words in its body: ranges of UTF-16 code units, ascending.
	At [][2]int
}

// Place is where h is in the order of a search.
func (h *Hit) Place() Place { return Place{h.Epoch, h.Time, h.Channel, h.Seq} }

// Hits answer a search.
type Hits struct {
	Hits []Hit
	// More: there may be more from Next on.
	More bool
	Next Place
}

const (
	// maxCandidates is how many messages with the words a search looks at, most of which
	// are hits: the others were changed since.
	maxCandidates = 500
	// firstSpan is the part of an epoch, its newest, that is searched first: of common
	// words enough is there. Words that are not have it grow, mostWider times at most.
	firstSpan = 24 * time.Hour
	mostWider = 16
	// foldsAtOnce is of how many channels the changes are read at once.
	foldsAtOnce = 4
)

// Search answers s. Its errors are those of Read.
func (r *Reader) Search(ctx context.Context, s Search) (Hits, error) {
	ctx, span := r.tracer.History(ctx)
	found, err := r.search(ctx, &s)
	if clickhouse.IsMissing(err) { // its tables were dropped since the watermark was read
		found, err = r.search(ctx, &s)
	}
	span.Messages(len(found.Hits), err)
	return found, err
}

func (r *Reader) search(ctx context.Context, s *Search) (Hits, error) {
	x := searching{Reader: r, s: s, after: s.Before, left: maxCandidates}
	mark, err := r.store.watermark(ctx, 0)
	if err != nil || mark.generation == 0 {
		return Hits{}, err
	}
	x.generation = mark.generation
	epochs, err := r.store.allEpochs(ctx)
	if err != nil {
		return Hits{}, err
	}
	now := time.Now().UnixMilli()
	if len(epochs) == 0 || epochs[0].name != r.cfg.Epoch.Epoch {
		epochs = slices.DeleteFunc(slices.Clone(epochs), func(e pastEpoch) bool { return e.name == r.cfg.Epoch.Epoch })
		epochs = slices.Insert(epochs, 0, pastEpoch{r.cfg.Epoch.Epoch, r.cfg.Epoch.Partitions, beganAt(r.cfg.Epoch.Epoch, now)})
	}
	if s.Before.Epoch != "" {
		i := slices.IndexFunc(epochs, func(e pastEpoch) bool { return e.name == s.Before.Epoch })
		if i < 0 {
			return Hits{}, ErrEpoch
		}
		epochs = epochs[i:]
	}
	if x.edited, err = r.store.editedIn(ctx, &x); err != nil {
		return Hits{}, err
	}
	until := now
	for _, e := range epochs {
		if err := x.epoch(ctx, e, until); err != nil || x.found.More {
			return x.found, err
		}
		x.after, until = Place{}, e.began
	}
	return x.found, nil
}

// searching is one search under way.
type searching struct {
	*Reader
	s          *Search
	generation uint32
	after      Place // where it goes on; the zero Place: at the newest of the epoch
	found      Hits
	left       int // candidates
	size       int
	edited     map[string]bool // epochs in which an edit has the words
}

// epoch searches one epoch, which lasted until about then.
func (x *searching) epoch(ctx context.Context, e pastEpoch, until int64) error {
	all := period{from: max(x.s.From, 0), to: min(cmp.Or(x.s.To, maxTime), maxTime)}
	if x.after.Epoch != "" {
		all.to = min(all.to, x.after.Time+1)
	}
	newest := min(until, all.to)
	span, found := firstSpan.Milliseconds(), 0
	for p := (period{all.to, all.to}); p.from > all.from; span *= wider(found, x.s.Limit+1) {
		p = period{max(all.from, newest-span), p.from}
		if p.from <= e.began {
			p.from = all.from
		}
		for ended := false; !ended; {
			var rows []Hit
			var err error
			if rows, ended, err = x.store.candidates(ctx, x, e, p); err == nil {
				err = x.take(ctx, e, rows, ended)
			}
			if err != nil || x.found.More {
				return err
			}
			found += len(rows)
		}
	}
	return nil
}

// wider is how many times as much time is searched next, once found of wanted messages
// were in what was searched: twice what has enough where they are as frequent.
func wider(found, wanted int) int64 {
	if found == 0 {
		return mostWider
	}
	return int64(min(mostWider, max(2, 2*wanted/found)))
}

// take adds candidates that are hits.
func (x *searching) take(ctx context.Context, e pastEpoch, rows []Hit, ended bool) error {
	if len(rows) == 0 {
		return nil
	}
	x.after = rows[len(rows)-1].Place()
	rows = slices.CompactFunc(rows, func(a, b Hit) bool { return a.Place() == b.Place() })
	there, err := x.fold(ctx, e, rows)
	if err != nil {
		return err
	}
	for i := range rows {
		h := &rows[i]
		if !there[i] {
			continue
		}
		var ok bool
		if h.At, ok = x.s.Words.Find(h.Body); !ok {
			continue
		}
		n := len(x.found.Hits)
		if x.size += textOf(&h.Message); n == x.s.Limit || n > 0 && x.s.Bytes > 0 && x.size > x.s.Bytes {
			x.found.More, x.found.Next = true, x.found.Hits[n-1].Place()
			return nil
		}
		x.found.Hits = append(x.found.Hits, *h)
	}
	if x.left -= len(rows); x.left <= 0 && !ended {
		x.found.More, x.found.Next = true, x.after
	}
	return nil
}

// fold makes the rows what changes left of them, and reports which are there still.
func (x *searching) fold(ctx context.Context, e pastEpoch, rows []Hit) (there []bool, err error) {
	there = make([]bool, len(rows))
	of := map[string][]int{}
	for i := range rows {
		of[rows[i].Channel] = append(of[rows[i].Channel], i)
	}
	readings, err := x.readings(ctx, e, slices.Collect(maps.Keys(of)))
	if err != nil {
		return nil, err
	}
	if len(readings) > 0 { // of few of them anything was changed
		changed, err := x.store.changed(ctx, readings, rows)
		if err != nil {
			return nil, err
		}
		for _, y := range readings {
			y.untouched = !changed[y.q.Channel]
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(foldsAtOnce)
	for _, y := range readings {
		g.Go(func() error { return y.foldHits(ctx, rows, of[y.q.Channel], there) })
	}
	return there, g.Wait()
}

// readings are those of channels of which something is known, with the changes above
// what ClickHouse has.
func (x *searching) readings(ctx context.Context, e pastEpoch, channels []string) ([]*reading, error) {
	all := make([]*reading, len(channels))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(foldsAtOnce)
	for i, channel := range channels {
		g.Go(func() (err error) { all[i], err = x.reading(ctx, e, channel); return err })
	}
	err := g.Wait()
	return slices.DeleteFunc(all, func(y *reading) bool { return y == nil }), err
}

// reading is that of one channel; nil: nothing is known of it.
func (x *searching) reading(ctx context.Context, e pastEpoch, channel string) (*reading, error) {
	q, known := x.s.Of(channel)
	if !known {
		return nil, nil
	}
	q.Channel = channel
	y := &reading{Reader: x.Reader, q: &q, at: location{x.generation, e.name, schema.PartitionOf(channel, e.partitions), maxSeq}}
	if e.name != x.cfg.Epoch.Epoch {
		q.End = maxSeq
		return y, nil
	}
	mark, err := x.store.watermark(ctx, y.at.partition)
	if err != nil {
		return nil, err
	}
	y.at.end = mark.seq + 1
	err = y.readChanges(ctx)
	y.log = nil // with the messages of its channel, and there may be a hundred of them
	return y, err
}

// foldHits is fold of the rows of one channel.
func (x *reading) foldHits(ctx context.Context, rows []Hit, indices []int, there []bool) error {
	indices = slices.DeleteFunc(indices, func(i int) bool { return rows[i].Seq >= x.stored() })
	for len(indices) > 0 {
		messages := make([]changes.Message, len(indices))
		for k, i := range indices {
			messages[k] = changes.Message{Seq: rows[i].Seq, User: rows[i].User}
		}
		states, err := x.states(ctx, messages)
		if err != nil {
			return err
		}
		for k, state := range states {
			m := &rows[indices[k]].Message
			state.Show(m)
			there[indices[k]] = m.Deleted == nil
		}
		indices = indices[len(states):]
	}
	return nil
}
