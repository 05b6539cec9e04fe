package doctor_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// The format in force is compared with the newest, and a raise whose rule
// connectors lack is found.
func TestFormatInForce(t *testing.T) {
	kafka := embeddedtest.Kafka(t)
	beginOld(t, kafka)
	s := newSystem(t, 1, kafka)
	says := func(want string, lacking bool) {
		t.Helper()
		r := s.examine()
		if r.Format == nil || r.Format.String() != want {
			t.Errorf("the format of the log is %v, want %s", r.Format, want)
		}
		if has(&r, doctor.Warning, "format", "parley.rules does not say that the log is in format 2") != lacking {
			t.Errorf("the rule is missing: %v, and it finds %v", lacking, r.Findings)
		}
	}
	says("1 of 2: `parley format raise 2` raises it once every role is new", false)
	if _, err := format.Raise(s.ctx, s.kafka, schema.NewestFormat); err != nil {
		t.Fatal(err)
	}
	says("2", false)
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicRules); err != nil {
		t.Fatal(err)
	}
	says("2", true)
}

// beginOld begins the log as a parley does whose newest format is 1.
func beginOld(t *testing.T, broker string) {
	t.Helper()
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	if err := admin.EnsureTopics(t.Context(), kafka, epoch.Topics(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	value, err := proto.Marshal(&schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "old", Format: 1, Window: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	p := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer p.Close()
	for i := range partitions {
		if _, err := p.ProduceSync(t.Context(), i, eventlog.Record{Value: value}); err != nil {
			t.Fatal(err)
		}
	}
}
