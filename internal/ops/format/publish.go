package format

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// Published is the newest format of an epoch's log of which parley.rules says that its
// raise is complete; 0 for none.
func Published(ctx context.Context, kafka *eventlog.Client, epoch string) (int32, error) {
	l, err := rules.Load(ctx, kafka)
	if errors.Is(err, eventlog.ErrUnknownTopic) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return l.Table.Format(epoch), nil
}

// publish writes the rule by which connectors know that every partition is in a
// format.
func publish(ctx context.Context, kafka *eventlog.Client, epoch string, number int32) error {
	rule := rules.Rule{Kind: rules.Format, Value: &schema.RulesFormat{Number: number, Epoch: epoch}}
	if err := rules.Write(ctx, kafka, rule); err != nil {
		return fmt.Errorf("publish format %d to connectors: %w", number, err)
	}
	return nil
}

// publishAgain writes the rule where it was lost.
func publishAgain(ctx context.Context, kafka *eventlog.Client, epoch string, number int32) error {
	if err := ensureRules(ctx, kafka); err != nil {
		return err
	}
	return publish(ctx, kafka, epoch, number)
}

// ensureRules creates parley.rules for a log that is older than it, unless a role
// has done so.
func ensureRules(ctx context.Context, kafka *eventlog.Client) error {
	info, err := kafka.TopicInfo(ctx, schema.TopicEvents)
	if err != nil {
		return err
	}
	for _, t := range epoch.Topics(info.Partitions, info.Replicas) {
		if t.Name == schema.TopicRules {
			return admin.EnsureTopics(ctx, kafka, []admin.Topic{t})
		}
	}
	return nil
}
