package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	// silence is how long parley.rules may not be read before a role says so.
	silence = 30 * time.Second
	// again is how long to wait before reading on after a failure.
	again = time.Second
)

// FollowConfig is what a Follower reads, and who learns of it.
type FollowConfig struct {
	Kafka *eventlog.Client
	Table *Table
	// Changed, when not nil, is called with each change, once the table has it.
	// Orders that were there before are left out. Reading waits for it.
	Changed func(Change)
	// Skipped, when not nil, is called with what cannot be decoded, and where.
	Skipped func(offset int64, err error)
	Logger  *slog.Logger // nil: nothing is logged
}

// Follower keeps a table at the end of parley.rules. Its methods are safe for
// concurrent use.
type Follower struct {
	cfg      FollowConfig
	caughtUp chan struct{}
	read     atomic.Pointer[time.Time] // when a fetch last succeeded

	// Of the goroutine that runs it.
	topic    [16]byte // which topic was read; zero: none yet
	next     int64    // everything below was read
	end      int64    // where the topic ended when reading began
	reported string   // the trouble that was logged last
}

// NewFollower returns a Follower, which Run starts.
func NewFollower(cfg FollowConfig) *Follower {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Follower{cfg: cfg, caughtUp: make(chan struct{})}
	f.fetched()
	return f
}

// CaughtUp is closed when everything was read that the topic held when reading
// began.
func (f *Follower) CaughtUp() <-chan struct{} { return f.caughtUp }

// Trouble reports that parley.rules could not be read for 30 s; "" when it can.
func (f *Follower) Trouble() string {
	if since := time.Since(*f.read.Load()); since > silence {
		return fmt.Sprintf("%s could not be read for %v: what was revoked, barred or granted since then is not known here", schema.TopicRules, since.Round(time.Second))
	}
	return ""
}

func (f *Follower) fetched() {
	now := time.Now()
	f.read.Store(&now)
}

// Run reads the topic from its beginning and follows it until ctx ends. What the
// cluster refuses is logged and tried again. A topic that was deleted and created
// again is read from its beginning, too: what the old one said stays in force.
func (f *Follower) Run(ctx context.Context) {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			f.report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// report logs a failure, unless the one before was the same.
func (f *Follower) report(err error) {
	if text := err.Error(); text != f.reported {
		f.cfg.Logger.Error("cannot read "+schema.TopicRules+", which says who is revoked or barred: trying again", "error", err)
		f.reported = text
	}
}

// follow reads on from where reading ended, until it fails or ctx ends. It
// returns nil when the topic is not what it was.
func (f *Follower) follow(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	r := f.cfg.Kafka.NewReader(eventlog.ReaderConfig{
		Topic: schema.TopicRules, TopicID: f.topic, Offset: f.next, OnFetch: f.fetched,
	})
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		var corrupt *eventlog.CorruptError
		var gone *eventlog.OffsetError
		switch {
		case errors.As(err, &corrupt):
			f.skip(corrupt.Offset, err)
			f.reached(corrupt.NextOffset)
			continue
		case errors.As(err, &gone), errors.Is(err, eventlog.ErrLogReplaced):
			return nil
		case err != nil:
			return err
		}
		f.reported = ""
		for i := range batch.Records {
			f.apply(&batch.Records[i])
		}
		f.reached(batch.NextOffset)
	}
}

// begin finds out where to read on.
func (f *Follower) begin(ctx context.Context) error {
	info, err := f.cfg.Kafka.TopicInfo(ctx, schema.TopicRules)
	if err != nil {
		return err
	}
	first, end, err := f.cfg.Kafka.Offsets(ctx, schema.TopicRules, 0)
	if err != nil {
		return err
	}
	switch replaced := f.topic != [16]byte{} && f.topic != info.ID; {
	case replaced:
		f.cfg.Logger.Error("topic " + schema.TopicRules + " was deleted and created again: the rules that were in it stay in force until this process ends, and are unknown to those that start later; revoke, bar and grant again")
	case f.next > end:
		f.cfg.Logger.Error("topic " + schema.TopicRules + " lost its end: the rules that were in it stay in force until this process ends, and are unknown to those that start later; restore it, or revoke, bar and grant again")
	case f.topic == info.ID:
		f.next = max(f.next, first) // what was compacted is superseded
		return nil
	}
	f.topic, f.next, f.end = info.ID, first, end
	f.reached(first)
	return nil
}

func (f *Follower) apply(r *eventlog.Record) {
	change, err := f.cfg.Table.Apply(string(r.Key), r.Value, r.Time)
	switch {
	case err != nil:
		f.skip(r.Offset, err)
	case change.Kind == Ordered && r.Offset < f.end: // it is not about sessions of now
	case change.Kind != 0 && f.cfg.Changed != nil:
		f.cfg.Changed(change)
	}
}

func (f *Follower) skip(offset int64, err error) {
	if f.cfg.Skipped != nil {
		f.cfg.Skipped(offset, err)
	}
}

// reached records that everything below next was read.
func (f *Follower) reached(next int64) {
	f.next = next
	if next < f.end {
		return
	}
	select {
	case <-f.caughtUp:
	default:
		close(f.caughtUp)
	}
}
