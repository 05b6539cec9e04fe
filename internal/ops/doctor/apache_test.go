package doctor_test

import (
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
)

// Every setting of a broker that the guarantees hang on is found when it is
// wrong, on brokers that report all of theirs.
func TestSettingsOfBrokers(t *testing.T) {
	krafttest.Need(t)
	cluster := krafttest.Start(t, kraft.Config{Settings: []string{
		"broker.session.timeout.ms=9000",
		"group.min.session.timeout.ms=7000",
		"group.initial.rebalance.delay.ms=3000",
		"transactional.id.expiration.ms=3600000",
		"producer.id.expiration.ms=86400000",
		"offsets.retention.minutes=60",
		"auto.create.topics.enable=true",
		"unclean.leader.election.enable=true",
	}})
	s := newSystem(t, 1, cluster.Brokers()...)
	r := s.examine()
	for setting, severity := range map[string]doctor.Severity{
		"broker.session.timeout.ms=9000":         doctor.Warning,
		"group.min.session.timeout.ms=7000":      doctor.Error,
		"group.initial.rebalance.delay.ms=3000":  doctor.Warning,
		"transactional.id.expiration.ms=3600000": doctor.Error,
		"producer.id.expiration.ms=86400000":     doctor.Warning,
		"offsets.retention.minutes=60":           doctor.Warning,
		"auto.create.topics.enable=true":         doctor.Warning,
	} {
		if !has(&r, severity, "broker 1", setting) {
			t.Errorf("no %s about %s among %v", severity, setting, r.Findings)
		}
	}
	if !has(&r, doctor.Error, "topic "+schema.TopicEvents, "unclean.leader.election.enable=true") {
		t.Errorf("unclean elections are not found: %v", r.Findings)
	}
	for _, f := range r.Findings {
		if f.Severity == doctor.Note {
			t.Errorf("a broker of Apache Kafka reports every setting, but: %v", f)
		}
	}
}

// Three brokers are held to what three brokers can do.
func TestReplication(t *testing.T) {
	krafttest.Need(t)
	cluster := krafttest.Start(t, kraft.Config{Nodes: 3})
	s := newSystem(t, 3, cluster.Brokers()...)
	if r := s.topics(); len(without(r.Findings)) > 0 {
		t.Fatalf("topics as the roles create them: %v", r.Findings)
	}
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicControl); err != nil {
		t.Fatal(err)
	}
	if err := admin.EnsureTopics(s.ctx, s.kafka, epoch.Topics(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	if r := s.topics(); !has(&r, doctor.Error, "topic "+schema.TopicControl, "has 1 replicas and needs 3") {
		t.Errorf("a topic with one copy: %v", r.Findings)
	}
	s.alter(schema.TopicEvents, "min.insync.replicas", "1")
	if r := s.topics(); !has(&r, doctor.Error, "topic "+schema.TopicEvents, "only one machine has") {
		t.Errorf("one replica is enough for an acknowledgement: %v", r.Findings)
	}
	s.alter(schema.TopicEvents, "min.insync.replicas", "3")
	if r := s.topics(); !has(&r, doctor.Warning, "topic "+schema.TopicEvents, "chat stops while one broker is down") {
		t.Errorf("all replicas are needed for an acknowledgement: %v", r.Findings)
	}
	s.alter(schema.TopicEvents, "min.insync.replicas", "2")
	cluster.Nodes[2].Kill()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r := s.topics()
		if has(&r, doctor.Warning, "topic "+schema.TopicEvents, "under-replicated") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a broker is dead: %v", r.Findings)
		}
	}
}
