package ingest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// rejectedQueue is how much of a partition waits to be written to
	// parley.commands.rejected.
	rejectedQueue = 2 << 20
	// rejectedValue is how much of a command is kept there.
	rejectedValue = 256 << 10
	// complainEvery is how often a rejection is logged.
	complainEvery = time.Second
)

// Headers of what is rejected.
const (
	headerReason    = "reason" // a sentence
	headerCode      = "code"   // as the API has it
	headerPartition = "partition"
	headerOffset    = "offset"
	headerCut       = "cut" // how many bytes the command had, of which the value is the beginning
)

// complaints bounds what is logged of rejections. The zero value is ready for use.
type complaints struct {
	mu     sync.Mutex
	last   time.Time
	silent int // rejections since then
}

// take reports whether to log one now, and how many were not logged before.
func (c *complaints) take(now time.Time) (silent int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.last) < complainEvery {
		c.silent++
		return 0, false
	}
	silent, c.silent, c.last = c.silent, 0, now
	return silent, true
}

// reject writes a command to parley.commands.rejected. After a crash it may be there
// twice: partition and offset tell. What cannot be written holds the partition.
func (o *owner) reject(ctx context.Context, rec *eventlog.Record, bad *rpc.Error) error {
	if silent, ok := o.i.complaints.take(time.Now()); ok {
		o.i.cfg.Logger.Warn("a command is rejected: it is in "+schema.TopicRejected+" with the reason",
			"partition", o.a.Partition, "offset", rec.Offset, "error", bad, "others", silent)
	}
	out := eventlog.Record{Key: rec.Key, Value: rec.Value, Headers: []eventlog.Header{
		{Key: headerReason, Value: []byte(bad.Message)}, {Key: headerCode, Value: strconv.AppendInt(nil, int64(bad.Code), 10)},
		{Key: headerPartition, Value: strconv.AppendInt(nil, int64(o.a.Partition), 10)}, {Key: headerOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)},
	}}
	if len(out.Key) > rejectedValue {
		out.Key = nil
	}
	if n := len(out.Value); n > rejectedValue {
		out.Value = out.Value[:rejectedValue]
		out.Headers = append(out.Headers, eventlog.Header{Key: headerCut, Value: strconv.AppendInt(nil, int64(n), 10)})
	}
	err := write(ctx, o.rejected, 0, out, func(ack eventlog.Ack) {
		if ack.Err != nil {
			o.fail(notRejected(ack.Err))
		}
	})
	if err != nil && ctx.Err() == nil {
		return notRejected(err)
	}
	return err
}

// notRejected says that a rejection is not written. It wraps nothing but a right that is
// missing: what else is wrong with that topic, as that it was created again, is nothing
// of the log's.
func notRejected(err error) error {
	if eventlog.IsRefused(err) {
		return fmt.Errorf("write to %s: %w", schema.TopicRejected, err)
	}
	return errors.New("write to " + schema.TopicRejected + ": " + err.Error())
}
