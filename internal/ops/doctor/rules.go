package doctor

import (
	"context"

	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// checkRules reads what parley.rules says of users, as connectors do.
func (x *examination) checkRules(ctx context.Context) error {
	if _, there := x.topics[schema.TopicRules]; !there {
		return nil // checkTopics reports it
	}
	l, err := rules.Load(ctx, x.cfg.Kafka)
	if err != nil {
		return err
	}
	s := l.Table.Stats()
	x.report.Rules = &s.Records
	if l.Corrupt > 0 {
		x.find(Warning, "rules", "find out who writes to the topic besides parley")("%d records of %s cannot be decoded: connectors skip them", l.Corrupt, schema.TopicRules)
	}
	if s.Full() {
		x.find(Error, "rules", "look at them with `parley rules`, give bars an end, and put grants of many users into tokens")("%s holds %d rules of %d MiB, and connectors know at most %d of %d MiB: revocations, bars and grants make room for newer ones",
			schema.TopicRules, s.Records, s.Bytes>>20, rules.MaxRecords, rules.MaxBytes>>20)
	}
	return nil
}
