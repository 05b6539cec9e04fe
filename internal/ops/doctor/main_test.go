package doctor_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/projector"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const partitions = 3

// system is what a doctor examines.
type system struct {
	*testing.T
	ctx     context.Context
	brokers []string
	kafka   *eventlog.Client
	dsn     string
	db      *clickhouse.DB
}

// newSystem is a log without roles.
func newSystem(t *testing.T, replication int, brokers ...string) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	s := &system{T: t, ctx: ctx, brokers: brokers}
	var err error
	if s.kafka, err = eventlog.New(eventlog.Config{Brokers: brokers, ClientID: "doctor"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if _, err := epoch.Open(ctx, s.kafka, epoch.Options{Partitions: partitions, Replication: replication}); err != nil {
		t.Fatal(err)
	}
	return s
}

// withStore gives it an empty database.
func (s *system) withStore() *system {
	s.Helper()
	s.dsn = embeddedtest.ClickHouse(s.T)
	var err error
	if s.db, err = clickhouse.Open(s.ctx, s.dsn, clickhouse.Options{}); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { s.db.Close() })
	return s
}

// role runs a role until the test ends, or until the returned function is
// called.
func (s *system) role(name string) (stop func()) {
	s.Helper()
	cfg := eventlog.Config{Brokers: s.brokers, ClientID: name}
	var r interface{ Run(context.Context) error }
	var err error
	switch name {
	case "connector":
		r, err = connector.New(connector.Config{Base: roles.Base{Kafka: cfg}, ClickHouse: s.dsn, Listen: "127.0.0.1:0"})
	case "chatworker":
		r, err = chatworker.New(chatworker.Config{Base: roles.Base{Kafka: cfg}})
	case "projector":
		r, err = projector.New(projector.Config{Base: roles.Base{Kafka: cfg}, ClickHouse: s.dsn})
	}
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.Error(err)
		}
	}
	s.Cleanup(stop)
	return stop
}

func (s *system) examine() doctor.Report {
	s.Helper()
	r, err := doctor.Run(s.ctx, doctor.Config{Kafka: s.kafka, DB: s.db, Watch: 2500 * time.Millisecond})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

func (s *system) topics() doctor.Report {
	s.Helper()
	r, err := doctor.Topics(s.ctx, doctor.Config{Kafka: s.kafka})
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// has reports whether there is a finding about subject that contains text.
func has(r *doctor.Report, severity doctor.Severity, subject, text string) bool {
	return slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool {
		return f.Severity == severity && f.Subject == subject && strings.Contains(f.String(), text)
	})
}

// awaits examines until there is such a finding.
func (s *system) awaits(severity doctor.Severity, subject, text string) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r := s.examine()
		if has(&r, severity, subject, text) {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("no %s about %s that says %q among %v", severity, subject, text, r.Findings)
		}
	}
}

// without leaves out the findings of a healthy system on a laptop: what a broker
// does not report, that there is only one, how many files may be opened, and how full
// the disk is.
func without(findings []doctor.Finding) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f doctor.Finding) bool {
		return f.Severity == doctor.Note || f.Subject == "Kafka" || f.Subject == "this machine" || strings.Contains(f.Text, "% are free")
	})
}

// alter sets a topic's setting, and returns when brokers tell it: a controller
// acknowledges before they know.
func (s *system) alter(topic, setting, value string) {
	s.Helper()
	client := &kafka.Client{Addr: kafka.TCP(s.brokers...), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	res, err := client.IncrementalAlterConfigs(s.ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: setting, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err != nil {
		s.Fatal(err)
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			s.Fatalf("set %s=%s: %v", setting, value, r.Error)
		}
	}
	for {
		have, err := admin.TopicSettings(s.ctx, s.kafka, topic)
		switch {
		case err != nil:
			s.Fatal(err)
		case have[setting].Value == value:
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
