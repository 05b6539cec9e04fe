// Package signals follows topics of signals, from their end on, for those who pass
// these on. What it misses is gone.
package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/eventlog"
)

const (
	// maxLag is how many records may wait before all of them are left out: they would
	// come late.
	maxLag = 10_000
	// patience is how old the newest fetch may be while the topic counts as read.
	patience  = 15 * time.Second
	fetchWait = 2 * time.Second
	// stale is the time between two fetches after which what the second one brings is
	// left out: it may have waited for as long.
	stale = 5 * time.Second
)

// WriteTimeout is how long a write of signals may take, WritePace how long they are
// gathered for one.
const (
	WriteTimeout = 3 * time.Second
	WritePace    = 25 * time.Millisecond
)

// Config says what to follow and how.
type Config struct {
	Kafka     *eventlog.Client
	Topic     string
	Partition int
	// Partitions is how many the topic must have.
	Partitions int
	// Pace is the time from one fetch that brought something to the next: signals of
	// the meantime come together.
	Pace time.Duration
	// Take gets what was fetched, on the goroutine of Run.
	Take func(context.Context, []eventlog.Record)
	// Dropped is told how many records were left out.
	Dropped func(n int)
	Logger  *slog.Logger
}

// Follower follows one partition. Make one with New.
type Follower struct {
	cfg     Config
	fetched atomic.Int64 // when it was read last, in Unix nanoseconds; 0: it is not read
	warned  bool
	stale   time.Duration
	last    time.Time     // as fetched, of the goroutine of Run
	gap     time.Duration // to the fetch before it
}

// New returns a Follower, which does nothing before Run.
func New(cfg Config) *Follower { return &Follower{cfg: cfg, stale: stale} }

// Reads reports whether the partition is being read.
func (f *Follower) Reads(now time.Time) bool {
	at := f.fetched.Load()
	return at != 0 && now.Sub(time.Unix(0, at)) < patience
}

// Run follows the partition until ctx ends. When it cannot be read it tries again.
func (f *Follower) Run(ctx context.Context) {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for ctx.Err() == nil {
		err := f.follow(ctx, wait.Reset)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, errLags) {
			f.fetched.Store(0)
			f.warn(err)
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// warn logs the first failure, until it is well again.
func (f *Follower) warn(err error) {
	if !f.warned {
		f.cfg.Logger.Warn("there are no signals, such as who is typing, and all the rest works: trying again",
			"topic", f.cfg.Topic, "partition", f.cfg.Partition, "error", err)
	}
	f.warned = true
}

var errLags = errors.New("signals would come late")

// follow follows the partition from its end until that fails. well is called when it
// has begun.
func (f *Follower) follow(ctx context.Context, well func()) error {
	info, err := f.cfg.Kafka.TopicInfo(ctx, f.cfg.Topic)
	if err != nil {
		return err
	}
	if info.Partitions != f.cfg.Partitions {
		return fmt.Errorf("topic %s has %d partitions and needs %d: delete it, and run `parley topics create`", f.cfg.Topic, info.Partitions, f.cfg.Partitions)
	}
	_, end, err := f.cfg.Kafka.Offsets(ctx, f.cfg.Topic, f.cfg.Partition)
	if err != nil {
		return err
	}
	r := f.cfg.Kafka.NewReader(eventlog.ReaderConfig{
		Topic: f.cfg.Topic, TopicID: info.ID, Partition: f.cfg.Partition, Offset: end, MaxWait: fetchWait, OnFetch: f.note,
		OnReconnect: func(ctx context.Context) error { // else it waits for a topic that is gone
			_, err := f.cfg.Kafka.TopicInfo(ctx, f.cfg.Topic)
			return err
		},
	})
	defer r.Close()
	f.last = time.Now()
	f.note()
	well()
	if f.warned {
		f.cfg.Logger.Info("there are signals again", "topic", f.cfg.Topic, "partition", f.cfg.Partition)
		f.warned = false
	}
	for {
		if err := f.next(ctx, r); err != nil {
			return err
		}
	}
}

func (f *Follower) note() {
	now := time.Now()
	f.gap, f.last = now.Sub(f.last), now
	f.fetched.Store(now.UnixNano())
}

// next takes one batch.
func (f *Follower) next(ctx context.Context, r *eventlog.Reader) error {
	batch, err := r.Next(ctx)
	var corrupt *eventlog.CorruptError
	if errors.As(err, &corrupt) {
		f.cfg.Dropped(1)
		return nil
	}
	if err != nil {
		return err
	}
	if lag := batch.End - batch.NextOffset; lag > maxLag || f.gap > f.stale {
		f.cfg.Dropped(len(batch.Records) + int(lag))
		return errLags
	}
	f.cfg.Take(ctx, batch.Records)
	select {
	case <-time.After(f.cfg.Pace):
	case <-ctx.Done():
	}
	return nil
}
