// Package guard compares the log with what ClickHouse holds of it, for the
// roles that can ask both, and makes sure that no log is created for a
// database that holds the history of another.
package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	// lookEvery is how often Watch checks whether something is due.
	lookEvery = time.Second
	// topicEvery is how often the topic is asked for its id, and how long after a
	// comparison that failed the next one comes.
	topicEvery = 5 * time.Second
	// compareEvery is how often the log is compared with ClickHouse while nothing
	// happens.
	compareEvery = time.Minute
	// compareTime bounds one comparison.
	compareTime = 10 * time.Second
	// publishTime bounds the attempt to inform the other roles.
	publishTime = 5 * time.Second
)

// MayBegin returns what a role asks before it begins a log: whether ClickHouse
// holds the history of one already, which is a *epoch.Refused then. It waits for
// ClickHouse, until ctx ends.
func MayBegin(db *clickhouse.DB) func(context.Context) error {
	return func(ctx context.Context) error {
		var known *clickhouse.Epoch
		err := db.Retry(ctx, "ask ClickHouse whether there was a log before", func(ctx context.Context) (err error) {
			known, err = newest(ctx, db)
			return err
		})
		if err != nil || known == nil {
			return err
		}
		return epoch.Refuse("Kafka has no log, and ClickHouse at %s holds the history of epoch %s: this is not the Kafka of that history, or its topics are gone; correct --kafka or --clickhouse, restore %s, or begin a new epoch with `parley epoch new`",
			db.Addresses(), known.Name, schema.TopicEvents)
	}
}

// newest is the epoch that ClickHouse knows; nil for none, also where its
// tables are missing.
func newest(ctx context.Context, db *clickhouse.DB) (*clickhouse.Epoch, error) {
	known, err := db.NewestEpoch(ctx)
	if clickhouse.IsMissing(err) {
		return nil, nil
	}
	return known, err
}

// CheckEpoch reports, with a *epoch.Refused, when the history that ClickHouse
// holds is not that of the log. A nil known is ignored.
func CheckEpoch(known *clickhouse.Epoch, log epoch.Log) error {
	switch {
	case known == nil:
		return nil
	case known.Name != log.Epoch:
		return epoch.Refuse("ClickHouse holds the history of epoch %s, but %s is of epoch %s: the log was replaced, or this is another system's database; restore the topic, name another database, or begin a new epoch with `parley epoch new`",
			known.Name, schema.TopicEvents, log.Epoch)
	case known.TopicID != fmt.Sprintf("%x", log.TopicID):
		return epoch.Refuse("ClickHouse holds the history of epoch %s with another topic %s: it was deleted and created again; "+epoch.Remedy,
			known.Name, schema.TopicEvents)
	case known.Partitions != log.Partitions:
		return epoch.Refuse("%s has %d partitions, but its history in ClickHouse was written with %d: channels would move; a log keeps the count it was created with",
			schema.TopicEvents, log.Partitions, known.Partitions)
	}
	return nil
}

// Held is what ClickHouse holds of the log; nil where it holds nothing. That it
// holds the history of another log is a *epoch.Refused.
func Held(ctx context.Context, db *clickhouse.DB, log epoch.Log) (*schema.LogHistory, error) {
	known, err := newest(ctx, db)
	if err != nil || known == nil {
		return nil, err
	}
	if err := CheckEpoch(known, log); err != nil {
		return nil, err
	}
	marks, err := db.Marks(ctx, log.Epoch)
	if err != nil && !clickhouse.IsMissing(err) {
		return nil, err
	}
	h := &schema.LogHistory{Epoch: log.Epoch, TopicId: log.TopicID[:]}
	for _, m := range marks {
		h.Marks = append(h.Marks, &schema.HistoryMark{Partition: m.Partition, Seq: m.Seq, Digest: m.Digest})
	}
	return h, nil
}

// Guard compares one log with one ClickHouse. Its fields are set by its owner;
// its methods are for one goroutine.
type Guard struct {
	Kafka  *eventlog.Client
	DB     *clickhouse.DB
	Log    epoch.Log
	Logger *slog.Logger
	// Also, when not nil, is checked with every comparison.
	Also func(context.Context) error

	topicAt, comparedAt time.Time
	connections         uint64 // to Kafka when it was compared last
	failed              bool   // the last comparison
}

// Compare reports, with a *epoch.Refused, when ClickHouse contradicts the log,
// and informs the roles that cannot ask ClickHouse. Other errors mean that the
// two could not be compared.
func (g *Guard) Compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, compareTime)
	defer cancel()
	g.connections, g.comparedAt = g.Kafka.Connections(), time.Now()
	err := g.compare(ctx)
	g.failed = err != nil
	return err
}

func (g *Guard) compare(ctx context.Context) error {
	// What ClickHouse holds comes first: what it gets meanwhile is in the log.
	held, err := Held(ctx, g.DB, g.Log)
	if err != nil {
		return err
	}
	err = g.Log.CheckHistory(ctx, g.Kafka, held)
	if !isRefused(err) {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTime)
	defer cancel()
	if failed := epoch.WriteHistory(limited, g.Kafka, held); failed != nil {
		g.Logger.Warn("the chat workers cannot be informed that ClickHouse contradicts the log", "error", failed)
	}
	return err
}

func isRefused(err error) bool {
	var refused *epoch.Refused
	return errors.As(err, &refused)
}

// Watch continues comparing until ctx ends, which is nil, or the log must no
// longer be used: its topic is checked every few seconds, and it is compared
// with ClickHouse every minute, after new connections to Kafka, and soon after
// ClickHouse could not be asked.
func (g *Guard) Watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := g.look(ctx, now); isRefused(err) && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (g *Guard) look(ctx context.Context, now time.Time) error {
	age := now.Sub(g.comparedAt)
	due := age >= compareEvery || g.connections != g.Kafka.Connections() || g.failed && age >= topicEvery
	if !due && now.Sub(g.topicAt) < topicEvery {
		return nil
	}
	g.topicAt = now
	if err := g.Log.Check(ctx, g.Kafka); err != nil || !due {
		return err // a topic that is gone would be waited for below
	}
	if g.Also != nil {
		if err := g.Also(ctx); err != nil {
			return err
		}
	}
	return g.Compare(ctx)
}
