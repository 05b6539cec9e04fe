package connector

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/guard"
	"github.com/parley-chat/parley/schema"
)

// firstLook bounds the comparison with ClickHouse before clients are served:
// chat does not wait for a ClickHouse that does not answer.
const firstLook = 2 * time.Second

// openLog opens the log and compares it with what this process knows of it, and
// with what ClickHouse does. The guard goes on with that.
func (c *Connector) openLog(ctx context.Context, kafka *eventlog.Client) (epoch.Log, *guard.Guard, error) {
	log, err := epoch.Open(ctx, kafka, epoch.Options{
		Partitions: c.cfg.Partitions, Replication: c.cfg.Replication, Approve: c.mayBegin, Logger: c.cfg.Logger,
	})
	if err != nil {
		return log, nil, err
	}
	if err := c.heights.open(log); err != nil {
		return log, nil, err
	}
	lasting := func(ctx context.Context) error { return c.heights.check(ctx, kafka) }
	if err := lasting(ctx); err != nil {
		return log, nil, err
	}
	g := &guard.Guard{Kafka: kafka, DB: c.db, Log: log, Logger: c.cfg.Logger, Also: lasting}
	limited, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	if err := g.Compare(limited); otherLog(err) {
		return log, nil, err
	}
	return log, g, nil
}

// mayBegin asks ClickHouse whether a log may be begun.
func (c *Connector) mayBegin(ctx context.Context) error {
	if err := c.heights.begun(); err != nil {
		return err
	}
	c.asking.Store(true)
	defer c.asking.Store(false)
	return guard.MayBegin(c.db)(ctx)
}

// heights are the newest offsets that this process knows of, over all its
// incarnations: what the log acknowledged to it, and where partitions ended when
// it looked. A log that ends below one is another. The zero value is ready for
// use; it is safe for concurrent use.
type heights struct {
	mu    sync.Mutex
	log   epoch.Log     // the zero value: none was opened yet
	known map[int]int64 // by partition
}

// open notes which log they belong to. Another one than before is refused.
func (h *heights) open(log epoch.Log) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.log, h.known = log, map[int]int64{}
	}
	if h.log.Epoch != log.Epoch || h.log.TopicID != log.TopicID {
		return epoch.Refuse("the log is of epoch %s, and was of epoch %s when this connector started: it was replaced; restart the connector if `parley epoch new` did that, else restore the log", log.Epoch, h.log.Epoch)
	}
	return nil
}

// begun refuses to begin a log after one that was opened.
func (h *heights) begun() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		return nil
	}
	return epoch.Refuse("the log of epoch %s is gone: restore it, or begin a new epoch with `parley epoch new`", h.log.Epoch)
}

// note takes the offset of an event.
func (h *heights) note(partition int, offset int64) {
	if h == nil { // a simulated log has no other incarnations
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.known[partition]; !ok || at < offset {
		h.known[partition] = offset
	}
}

// reached reports whether a partition is known to have come to an offset.
func (h *heights) reached(partition int, offset int64) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.known[partition]
	return ok && offset <= at
}

// check refuses a log that lacks what was there, and notes what there is now.
func (h *heights) check(ctx context.Context, kafka *eventlog.Client) error {
	h.mu.Lock()
	known, partitions := maps.Clone(h.known), h.log.Partitions
	h.mu.Unlock()
	return epoch.ForEach(ctx, partitions, func(ctx context.Context, p int) error {
		_, end, err := kafka.Offsets(ctx, schema.TopicEvents, p)
		if err != nil {
			return err
		}
		if at, ok := known[p]; ok && at >= end {
			return epoch.Lost(p, at, end)
		}
		h.note(p, end-1)
		return nil
	})
}

// lostPushes is the error of a push partition that cannot be read on. Whatever
// became of the pushes, the log has every event that they were made of: the
// incarnation ends, and the next one knows it again.
type lostPushes struct{ err error }

func (e *lostPushes) Error() string {
	return "pushes were lost, which sessions recover from: " + e.err.Error()
}

// readError distinguishes lost pushes from trouble with the log itself.
func readError(err error) error {
	var cut *eventlog.OffsetError
	if errors.As(err, &cut) || errors.Is(err, eventlog.ErrLogReplaced) {
		return &lostPushes{err}
	}
	return err
}
