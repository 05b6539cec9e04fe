package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	searchesAtOnce = 2
	searchTime     = 5 * time.Second
	searchBytes    = 64 << 20
	maxRepeats     = 8 // that are followed: each is at most a window after the one before
)

// Act is where an act stands.
type Act struct{ Seq, Time int64 }

// First looks for the act of a user of which one with the same id at an offset is,
// or would be, a repeat; false: the log has none within the window, or too many
// repeats of it. Its errors are ErrClosed, ErrTail, a refusal of the log, a
// *schema.NewerError, or that of ctx.
func (r *Reader) First(ctx context.Context, channel, user, id string, at int64) (Act, bool, error) {
	key := schema.UserAct{Channel: channel, User: user, ID: id}
	found, stands := Act{Seq: at}, false
	for range maxRepeats {
		s := r.finder.join(r, key, max(0, found.Seq-r.cfg.Epoch.Window), found.Seq)
		select {
		case <-s.done:
		case <-ctx.Done():
			return Act{}, false, ctx.Err()
		}
		if s.err != nil {
			return Act{}, false, s.err
		}
		before, ended := s.before(key, found, r.cfg.Epoch.Window)
		stands = stands || before != found
		if found = before; ended {
			return found, stands, nil
		}
	}
	return Act{}, false, nil
}

// End is the offset that the next event of a channel will get. Everything that was
// acknowledged before is below it.
func (r *Reader) End(ctx context.Context, channel string) (int64, error) {
	_, end, err := r.cfg.Log.Offsets(ctx, schema.TopicEvents, schema.PartitionOf(channel, r.cfg.Epoch.Partitions))
	return end, err
}

// finder has one search of a partition wait at a time, which all who come meanwhile
// share if they look in about the same place.
type finder struct {
	mu      sync.Mutex
	waiting map[int]*search // by partition
	turns   chan struct{}
	work    sync.WaitGroup
	closed  bool
}

// search is one read of the log for acts. Before it begins the finder's lock
// guards it; nobody changes it once it is done.
type search struct {
	from, to int64
	acts     map[schema.UserAct][]Act // ascending
	done     chan struct{}
	err      error
}

// join returns a search for an act in [from, to).
func (f *finder) join(r *Reader, key schema.UserAct, from, to int64) *search {
	partition := schema.PartitionOf(key.Channel, r.cfg.Epoch.Partitions)
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.waiting[partition]; s != nil && max(s.to, to)-min(s.from, from) <= shareCost*r.cfg.Epoch.Window {
		s.from, s.to = min(s.from, from), max(s.to, to)
		s.acts[key] = nil
		return s
	}
	s := &search{from: from, to: to, acts: map[schema.UserAct][]Act{key: nil}, done: make(chan struct{})}
	if f.closed {
		s.err = ErrClosed
		close(s.done)
		return s
	}
	if f.waiting == nil {
		f.waiting, f.turns = map[int]*search{}, make(chan struct{}, searchesAtOnce)
	}
	f.waiting[partition] = s
	f.work.Go(func() { f.run(r, partition, s) })
	return s
}

// close waits for the searches under way; what they read of has ended.
func (f *finder) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.work.Wait()
}

func (f *finder) run(r *Reader, partition int, s *search) {
	defer close(s.done)
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-r.store.alive.Done():
	}
	f.mu.Lock()
	if f.waiting[partition] == s {
		delete(f.waiting, partition)
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.store.alive, searchTime)
	defer cancel()
	s.err = s.read(ctx, r, partition)
	switch {
	case r.store.alive.Err() != nil:
		s.err = ErrClosed
	case errors.Is(s.err, eventlog.ErrBudget), s.err != nil && ctx.Err() != nil:
		s.err = fmt.Errorf("%w: offsets %d to %d of %s/%d: %w", ErrTail, s.from, s.to, schema.TopicEvents, partition, s.err)
	}
}

// read reads the log. What is corrupt is skipped: its consumers have logged it.
func (s *search) read(ctx context.Context, r *Reader, partition int) error {
	for from := s.from; from < s.to; {
		err := r.cfg.Log.ReadRange(ctx, schema.TopicEvents, partition, from, s.to, searchBytes, s.add)
		var corrupt *eventlog.CorruptError
		if !errors.As(err, &corrupt) {
			return err
		}
		from = corrupt.NextOffset
	}
	return nil
}

func (s *search) add(rec eventlog.Record) error {
	e, err := schema.DecodeEvent(rec.Value)
	if errors.Is(err, schema.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	if act, is := e.UserAct(); is {
		if acts, wanted := s.acts[act]; wanted {
			s.acts[act] = append(acts, Act{rec.Offset, e.Time})
		}
	}
	return nil
}

// before follows repeats back from an act, each within a window of the next. ended:
// what it returns repeats nothing.
func (s *search) before(key schema.UserAct, from Act, window int64) (first Act, ended bool) {
	acts := s.acts[key]
	for i := len(acts) - 1; i >= 0; i-- {
		if a := acts[i]; a.Seq < from.Seq && from.Seq-a.Seq <= window {
			from = a
		}
	}
	return from, s.from <= max(0, from.Seq-window)
}
