package doctor_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// What parley.rules holds is counted, and reported when connectors skip some of
// it or it is nearly too much for them.
func TestRules(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicRules})
	defer p.Close()
	revoke := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			value, err := proto.Marshal(&schema.Revocation{Before: int64(i + 1)})
			if err == nil {
				err = p.Produce(0, eventlog.Record{Key: []byte(schema.RulesKeyRevoked(fmt.Sprint(i))), Value: value}, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Flush(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	revoke(0, 5)
	r := s.examine()
	if r.Rules == nil || *r.Rules != 5 || has(&r, doctor.Warning, "rules", "") || has(&r, doctor.Error, "rules", "") {
		t.Errorf("five rules, and nothing is wrong: %v, %v", r.Rules, r.Findings)
	}
	if err := p.Produce(0, eventlog.Record{Key: []byte("barred/ada"), Value: []byte("no bar at all")}, nil); err != nil {
		t.Fatal(err)
	}
	revoke(5, rules.MaxRecords*9/10+1)
	r = s.examine()
	if !has(&r, doctor.Warning, "rules", "1 records of parley.rules cannot be decoded") || !has(&r, doctor.Error, "rules", "holds 180001 rules") {
		t.Errorf("a corrupt record, and nearly too many: %v", r.Findings)
	}
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicRules); err != nil {
		t.Fatal(err)
	}
	r = s.examine()
	if r.Rules != nil || !has(&r, doctor.Warning, "topic "+schema.TopicRules, "it is missing") {
		t.Errorf("there is no such topic: %v, %v", r.Rules, r.Findings)
	}
}
