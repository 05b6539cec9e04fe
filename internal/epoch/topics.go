package epoch

import (
	"context"
	"maps"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

// safeReplication is the replication at which the loss of a machine loses
// nothing that was acknowledged, once two of them have it.
const safeReplication = 3

// Topics are the topics of a log with that many partitions and that
// replication factor, as Open creates them and checks them; 0 leaves the
// replication to the brokers.
func Topics(partitions, replication int) []admin.Topic {
	var all []admin.Topic
	for _, t := range schema.Topics(partitions) {
		initial := maps.Clone(t.Initial)
		if replication >= safeReplication {
			if initial == nil {
				initial = map[string]string{}
			}
			initial["min.insync.replicas"] = "2"
		}
		all = append(all, admin.Topic{Name: t.Name, Partitions: t.Partitions, ReplicationFactor: replication, Config: t.Config, Initial: initial, Optional: t.Optional})
	}
	return all
}

// optionalPatience is how long a start waits for topics that it can do without.
const optionalPatience = 10 * time.Second

// ensureTopics creates what is missing and checks the rest. Without topics that are
// optional the log works as well.
func ensureTopics(ctx context.Context, c *eventlog.Client, partitions int, o *Options) error {
	needed, optional := split(Topics(partitions, o.Replication))
	if err := admin.EnsureTopics(ctx, c, needed); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, optionalPatience)
	defer cancel()
	for _, t := range optional {
		if err := admin.EnsureTopics(limited, c, []admin.Topic{t}); err != nil && o.Logger != nil {
			o.Logger.Warn(Without(t.Name)+", and all the rest works: see `parley topics check`", "error", err)
		}
	}
	return ctx.Err()
}

// Without is what does not work without a topic that is optional.
func Without(topic string) string {
	switch topic {
	case schema.TopicHooks:
		return "no events go out by HTTP, as `parley hooks` would send them"
	case schema.TopicCommands, schema.TopicRejected:
		return "no commands are carried out, as `parley ingest` would do it"
	}
	return "there are no signals, such as who is typing"
}

// split separates the topics that a log cannot do without.
func split(all []admin.Topic) (needed, optional []admin.Topic) {
	for _, t := range all {
		if t.Optional {
			optional = append(optional, t)
		} else {
			needed = append(needed, t)
		}
	}
	return needed, optional
}
