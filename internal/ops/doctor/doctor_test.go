package doctor_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// A system in which everything runs has nothing wrong; when its roles end, one
// after the other, what that means is reported.
func TestSystemFromHealthToStandstill(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1, embeddedtest.Kafka(t)).withStore()
	stopConnector, stopWorker, stopProjector := s.role("connector"), s.role("chatworker"), s.role("projector")
	var r doctor.Report
	for healthy := false; !healthy; {
		if s.ctx.Err() != nil {
			t.Fatalf("it never gets well: %v", r.Findings)
		}
		r = s.examine()
		healthy = len(without(r.Findings)) == 0
	}
	if len(r.Checked) < 6 {
		t.Errorf("it looked at %v only", r.Checked)
	}
	v := roles.Version()
	if want := "chatworker " + v + " (1), connector " + v + " (1), projector " + v + " (1)"; r.Running() != want {
		t.Errorf("there run %q, want %q", r.Running(), want)
	}
	stopProjector()
	s.awaits(doctor.Error, "projectors", "none runs")
	stopConnector()
	s.awaits(doctor.Error, "connectors", "none beats")
	stopWorker()
	s.awaits(doctor.Error, "chat workers", "none runs")
	s.awaits(doctor.Error, "time", "it does not advance")
}

// Each setting of a topic that is wrong is found, alone, with its remedy.
func TestSettingsOfTopics(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	if r := s.topics(); len(without(r.Findings)) > 0 {
		t.Fatalf("topics as the roles create them: %v", r.Findings)
	}
	right := map[string]map[string]string{}
	for _, topic := range schema.Topics(partitions) {
		right[topic.Name] = topic.Config
	}
	for _, c := range []struct {
		topic, setting, wrong, right string
		severity                     doctor.Severity
	}{
		{schema.TopicEvents, "cleanup.policy", "compact", "", doctor.Error},
		{schema.TopicEvents, "retention.ms", "604800000", "", doctor.Error},
		{schema.TopicEvents, "retention.bytes", "1073741824", "", doctor.Error},
		{schema.TopicEvents, "max.message.bytes", "100000", "1048588", doctor.Error},
		{schema.TopicEvents, "message.timestamp.type", "LogAppendTime", "CreateTime", doctor.Warning},
		{schema.TopicPush, "retention.ms", "1000", "", doctor.Error},
		{schema.TopicState, "cleanup.policy", "delete", "", doctor.Error},
		{schema.TopicState, "segment.ms", "604800000", "3600000", doctor.Warning},
		{schema.TopicControl, "retention.ms", "86400000", "", doctor.Error},
		{schema.TopicRules, "cleanup.policy", "delete", "", doctor.Error},
		{schema.TopicRules, "retention.ms", "86400000", "", doctor.Error},
		{schema.TopicSignals, "retention.ms", "86400000", "", doctor.Warning},
		{schema.TopicCommands, "retention.ms", "604800000", "", doctor.Warning},
		{schema.TopicCommands, "segment.ms", "604800000", "14400000", doctor.Warning},
		{schema.TopicSignalPush, "cleanup.policy", "compact", "", doctor.Warning},
	} {
		s.alter(c.topic, c.setting, c.wrong)
		r := s.topics()
		if found := without(r.Findings); len(found) != 1 || !has(&r, c.severity, "topic "+c.topic, "kafka-configs.sh --bootstrap-server "+s.brokers[0]+" --alter --topic "+c.topic+" --add-config "+c.setting+"=") {
			t.Errorf("%s of %s is %s: %v", c.setting, c.topic, c.wrong, found)
		}
		if c.right == "" {
			c.right = right[c.topic][c.setting]
		}
		s.alter(c.topic, c.setting, c.right)
	}
	if r := s.topics(); len(without(r.Findings)) > 0 {
		t.Errorf("all was set right again: %v", r.Findings)
	}
}

func TestTopicsThatAreOthers(t *testing.T) {
	kafka := embeddedtest.Kafka(t)
	s := newSystem(t, 1, kafka)
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicPush); err != nil {
		t.Fatal(err)
	}
	if r := s.topics(); !has(&r, doctor.Warning, "topic "+schema.TopicPush, "it is missing") {
		t.Errorf("a topic is missing: %v", r.Findings)
	}
	push := admin.Topic{Name: schema.TopicPush, Partitions: partitions + 1, ReplicationFactor: 1}
	if err := admin.EnsureTopics(s.ctx, s.kafka, []admin.Topic{push}); err != nil {
		t.Fatal(err)
	}
	if r := s.topics(); !has(&r, doctor.Error, "topic "+schema.TopicPush, "it has 4 partitions and needs 3") {
		t.Errorf("a topic has too many partitions: %v", r.Findings)
	}
}

// Topics of signals that are missing, or others, are warned of.
func TestTopicsOfSignals(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicSignals); err != nil {
		t.Fatal(err)
	}
	if r := s.topics(); len(without(r.Findings)) != 1 || !has(&r, doctor.Warning, "topic "+schema.TopicSignals, "it is missing: there are no signals") {
		t.Errorf("a topic is missing: %v", r.Findings)
	}
	other := admin.Topic{Name: schema.TopicSignals, Partitions: partitions + 1, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "60000"}}
	if err := admin.EnsureTopics(s.ctx, s.kafka, []admin.Topic{other}); err != nil {
		t.Fatal(err)
	}
	if r := s.topics(); len(without(r.Findings)) != 1 || !has(&r, doctor.Warning, "topic "+schema.TopicSignals, "it has 4 partitions and needs 3") {
		t.Errorf("a topic has too many partitions: %v", r.Findings)
	}
}

// What the log remembers of itself is compared with the log.
func TestEpochAndFormat(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1, embeddedtest.Kafka(t)).withStore()
	put := func(key string, m proto.Message) {
		t.Helper()
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
		defer p.Close()
		if _, err := p.ProduceSync(s.ctx, 0, eventlog.Record{Key: []byte(key), Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	put(schema.ControlKeyFormat, &schema.LogFormat{Number: 1})
	s.awaits(doctor.Warning, "format", "was started and is not complete")
	put(schema.ControlKeyFormat, &schema.LogFormat{Number: schema.NewestFormat + 1, Done: true})
	s.awaits(doctor.Error, "format", "use a newer parley")
	put(schema.ControlKeyEpoch, &schema.LogEpoch{Epoch: "another", Partitions: partitions})
	s.awaits(doctor.Error, "epoch", "remembers epoch another")
}

// What a connector reports of its own process and machine is an error.
func TestTroubleOfAConnector(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	s.beats("c1", &schema.Beat{Address: "host:8080", Trouble: []string{"no file descriptor is left"}})
	s.awaits(doctor.Error, "connector c1 at host:8080", "it reports: no file descriptor is left")
}

// An upgrade that was not finished is found; so is a role that is so old that
// it does not report its version.
func TestDifferentVersions(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	s.beats("c1", &schema.Beat{Address: "host:1", Version: "v1.3.0"})
	s.beats("c2", &schema.Beat{Address: "host:2"})
	s.awaits(doctor.Warning, "versions", "connector of an unknown version (1), connector v1.3.0 (1); finish the upgrade")
}

// beats lets a connector beat until the test ends.
func (s *system) beats(id string, beat *schema.Beat) {
	ctx, stop := context.WithCancel(s.ctx)
	beating := make(chan struct{})
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	go func() {
		defer close(beating)
		for ctx.Err() == nil {
			beat.Time = time.Now().UnixMilli()
			value, err := proto.Marshal(beat)
			if err == nil {
				_, _ = p.ProduceSync(ctx, 0, eventlog.Record{Key: []byte(schema.ControlKeyBeat(id)), Value: value})
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	s.Cleanup(func() { stop(); <-beating; p.Close() })
}

// What is wrong with the tables in ClickHouse is found.
func TestTables(t *testing.T) {
	t.Parallel()
	s := newSystem(t, 1, embeddedtest.Kafka(t)).withStore()
	s.awaits(doctor.Warning, "ClickHouse", "the tables are missing")
	if err := s.db.Migrate(s.ctx); err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		t.Helper()
		if err := s.db.Exec(s.ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	events := s.db.Table("events_1")
	exec("ALTER TABLE " + events + " MODIFY TTL toDateTime(time) + INTERVAL 1 DAY")
	s.awaits(doctor.Error, "table events_1", "history is deleted")
	exec("DROP TABLE " + events + " SYNC")
	s.awaits(doctor.Error, "table events_1", "it is missing")
	exec("CREATE TABLE " + events + " (seq Int64) ENGINE = MergeTree ORDER BY seq")
	s.awaits(doctor.Error, "table events_1", "its engine is MergeTree")
	exec("INSERT INTO " + s.db.Table("epochs") + " SELECT 'another', '', 3, now64(3)")
	s.awaits(doctor.Error, "epoch", "ClickHouse holds the history of epoch another")
}

// Tables of a single server do not do for a cluster, which the server has to know.
func TestClusterThatIsNone(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t)).withStore()
	if err := s.db.Migrate(s.ctx); err != nil {
		t.Fatal(err)
	}
	db, err := clickhouse.Open(s.ctx, s.dsn+"?cluster=none", clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := doctor.Run(s.ctx, doctor.Config{Kafka: s.kafka, DB: db, Watch: 1})
	if err != nil {
		t.Fatal(err)
	}
	for subject, says := range map[string]string{
		"ClickHouse": `it knows no cluster "none"`, "table events_1": "ReplicatedReplacingMergeTree is needed",
	} {
		if !has(&r, doctor.Error, subject, says) {
			t.Errorf("no error about %s that says %q among %v", subject, says, r.Findings)
		}
	}
	if slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return strings.Contains(f.Text, "could not be checked") }) {
		t.Errorf("something could not be checked: %v", r.Findings)
	}
}

// A server that turns the user away is not one that has to be started.
func TestClickHouseRefuses(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t)).withStore()
	dsn, err := url.Parse(s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	dsn.User = url.UserPassword("nobody", "wrong")
	db, err := clickhouse.New(dsn.String(), clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := doctor.Run(s.ctx, doctor.Config{Kafka: s.kafka, Away: db.Reach(s.ctx), Watch: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !has(&r, doctor.Error, "ClickHouse", "correct the user and the password") || has(&r, doctor.Error, "ClickHouse", "start it") {
		t.Errorf("ClickHouse refuses: %v", r.Findings)
	}
}

func TestClickHouseAway(t *testing.T) {
	s := newSystem(t, 1, embeddedtest.Kafka(t))
	r, err := doctor.Run(s.ctx, doctor.Config{Kafka: s.kafka, Away: errors.New("nobody is there"), Watch: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !has(&r, doctor.Error, "ClickHouse", "nobody is there") {
		t.Errorf("ClickHouse is away: %v", r.Findings)
	}
}
