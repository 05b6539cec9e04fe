// Package history reads the messages of a channel, as its members would
// get them, with edits, deletions and reactions: from ClickHouse, and from the log above its watermark.
package history

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// An operator waits longer than a client does.
const (
	tailBytes = 1 << 30
	tailTime  = time.Minute
	queryTime = 30 * time.Second
)

// Question asks for messages of one channel.
type Question struct {
	Channel string
	// User sees private messages from and to it; "" sees public ones only.
	User string
	// Before and After are a seq that messages are below or above; 0: none. One
	// of them at most is set. Without any, the newest messages are asked for.
	Before, After int64
	Limit         int
	// Epoch in which seqs count; "" is the current one.
	Epoch string
}

// Transcript is the answer.
type Transcript struct {
	Epoch   string `json:"epoch"`
	Channel string `json:"channel"`
	// Messages, oldest first, as later changes have made them.
	Messages []rpc.Message `json:"messages"`
	// More: there are older ones; with After, newer ones.
	More bool `json:"more"`
	// Seq, with After in the current epoch, is where the page ends: newer ones are
	// above it. Changes count against its limit, so it may hold no message.
	Seq int64 `json:"seq,omitempty"`
	// Older is the newest earlier epoch with messages of the channel, when this
	// one has no older ones.
	Older string `json:"older,omitempty"`
}

// End is the seq that newer messages are above.
func (t *Transcript) End() int64 {
	if n := len(t.Messages); t.Seq == 0 && n > 0 {
		return t.Messages[n-1].Seq
	}
	return t.Seq
}

// Read answers a question. Its errors are those of history.Reader.Read, and
// *epoch.Refused.
func Read(ctx context.Context, kafka *eventlog.Client, dsn string, q Question, logger *slog.Logger) (Transcript, error) {
	log, err := epoch.Inspect(ctx, kafka)
	if err != nil {
		return Transcript{}, err
	}
	_, end, err := kafka.Offsets(ctx, schema.TopicEvents, schema.PartitionOf(q.Channel, log.Partitions))
	if err != nil {
		return Transcript{}, err
	}
	reader, err := history.New(history.Config{
		DSN: dsn, Log: kafka, Epoch: log, TailBytes: tailBytes, TailTime: tailTime, QueryTime: queryTime, Logger: logger,
	})
	if err != nil {
		return Transcript{}, err
	}
	defer reader.Close()
	page, err := reader.Read(ctx, history.Query{
		Channel: q.Channel, User: q.User, Mode: q.mode(), Before: q.Before, After: q.After, Limit: q.Limit, Epoch: q.Epoch, End: end,
		VoidsFrom: math.MaxInt64, KnownFrom: math.MaxInt64, // the reader finds them itself
	})
	if err != nil {
		return Transcript{}, err
	}
	t := Transcript{Epoch: q.Epoch, Channel: q.Channel, Messages: page.Messages, More: page.More, Seq: page.Seq, Older: page.Older}
	if t.Epoch == "" {
		t.Epoch = log.Epoch
	}
	if t.Messages == nil {
		t.Messages = []rpc.Message{}
	}
	return t, nil
}

func (q *Question) mode() history.Mode {
	switch {
	case q.Before > 0:
		return history.Before
	case q.After > 0:
		return history.After
	}
	return history.Newest
}
