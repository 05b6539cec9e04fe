package epoch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	renew "github.com/parley-chat/parley/internal/ops/epoch"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// system is a log of 3 partitions with 10 events in one of them, and a
// database that knows its epoch.
type system struct {
	t     *testing.T
	ctx   context.Context
	kafka *eventlog.Client
	db    *clickhouse.DB
	log   epoch.Log
}

func newSystem(t *testing.T) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{embeddedtest.Kafka(t)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	db, err := clickhouse.Open(ctx, embeddedtest.ClickHouse(t), clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := &system{t: t, ctx: ctx, kafka: kafka, db: db}
	s.log = s.begin(s.look(renew.Options{Partitions: 3}))
	s.append(schema.TopicRules, 0, schema.RulesKeyBarred("eve"), &schema.Bar{Time: 1})
	for range 10 {
		s.append(schema.TopicEvents, 1, "", &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 1}}})
	}
	return s
}

func (s *system) append(topic string, partition int, key string, m proto.Message) {
	s.t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: topic})
	defer p.Close()
	if err := p.Produce(partition, eventlog.Record{Key: []byte(key), Value: value}, nil); err != nil {
		s.t.Fatal(err)
	}
	if err := p.Flush(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) look(o renew.Options) renew.Plan {
	s.t.Helper()
	p, err := renew.MakePlan(s.ctx, s.kafka, s.db, o)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *system) begin(p renew.Plan) epoch.Log {
	s.t.Helper()
	log, err := renew.Begin(s.ctx, s.kafka, s.db, p)
	if err != nil {
		s.t.Fatal(err)
	}
	return log
}

// agrees reports whether log, control and ClickHouse are of one new epoch.
func (s *system) agrees(log epoch.Log) {
	s.t.Helper()
	known, err := epoch.Remembered(s.ctx, s.kafka)
	newest, err2 := s.db.NewestEpoch(s.ctx)
	if err != nil || err2 != nil || known == nil || newest == nil {
		s.t.Fatalf("remembered %v (%v), in ClickHouse %v (%v)", known, err, newest, err2)
	}
	l, err := rules.Load(s.ctx, s.kafka)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, barred := l.Table.Barred("eve", time.Now()); !barred {
		s.t.Error("the new epoch has forgotten who is barred")
	}
	if log.Epoch == s.log.Epoch || known.Epoch != log.Epoch || newest.Name != log.Epoch || newest.Partitions != log.Partitions {
		s.t.Errorf("the epoch is %s, before %s, remembered %s, in ClickHouse %s", log.Epoch, s.log.Epoch, known.Epoch, newest.Name)
	}
}

// A log in which positions have a meaning is recreated, with as many
// partitions, and what is not in ClickHouse is counted.
func TestLogInUseIsCreatedAnew(t *testing.T) {
	s := newSystem(t)
	p := s.look(renew.Options{})
	if p.Keep || p.Old != s.log.Epoch || p.Lost != 10 || p.Partitions != 3 || p.Replication != 1 {
		t.Errorf("the plan is %+v", p)
	}
	log := s.begin(p)
	s.agrees(log)
	if log.Partitions != 3 {
		t.Errorf("%d partitions, want 3", log.Partitions)
	}
	if _, end, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, 1); err != nil || end != 1 {
		t.Errorf("the log ends at %d, error %v, want the marker alone", end, err)
	}
}

// Doing it again, as a job that is retried does, changes nothing until something
// was published; but for who asks for another.
func TestAgainIsNoOtherEpoch(t *testing.T) {
	s := newSystem(t)
	log := s.begin(s.look(renew.Options{}))
	if p := s.look(renew.Options{}); !p.Done || p.Found != log.Epoch {
		t.Errorf("the plan is %+v, want nothing to do in %s", p, log.Epoch)
	}
	if p := s.look(renew.Options{Recreate: true}); p.Done {
		t.Errorf("another was asked for, and the plan is %+v", p)
	}
	if p := s.look(renew.Options{Partitions: 5}); p.Done {
		t.Errorf("other partitions were asked for, and the plan is %+v", p)
	}
	s.append(schema.TopicEvents, 1, "", &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 1}}})
	if p := s.look(renew.Options{}); p.Done || p.Lost != 1 {
		t.Errorf("an event was published, and the plan is %+v", p)
	}
}

// A new epoch may have another number of partitions.
func TestOtherPartitions(t *testing.T) {
	s := newSystem(t)
	log := s.begin(s.look(renew.Options{Partitions: 5}))
	s.agrees(log)
	hooks, err := s.kafka.DescribeTopic(s.ctx, schema.TopicHooks)
	if log.Partitions != 5 || err != nil || len(hooks.Partitions) != 5 {
		t.Errorf("%d partitions, and hooks as %+v (%v), want 5", log.Partitions, hooks, err)
	}
}

// Whatever of it was done before an interruption, doing it again completes it.
func TestInterrupted(t *testing.T) {
	for name, topics := range map[string][]string{
		"before the events went":    {schema.TopicState, schema.TopicPush},
		"before the control went":   {schema.TopicState, schema.TopicPush, schema.TopicEvents},
		"before anything was there": {schema.TopicState, schema.TopicPush, schema.TopicEvents, schema.TopicControl},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			for _, topic := range topics {
				if err := admin.DeleteTopic(s.ctx, s.kafka, topic); err != nil {
					t.Fatal(err)
				}
			}
			log := s.begin(s.look(renew.Options{}))
			s.agrees(log)
			if log.Partitions != 3 {
				t.Errorf("%d partitions, want 3", log.Partitions)
			}
		})
	}
	t.Run("before ClickHouse knew", func(t *testing.T) {
		s := newSystem(t)
		for _, topic := range []string{schema.TopicState, schema.TopicPush, schema.TopicEvents, schema.TopicControl} {
			if err := admin.DeleteTopic(s.ctx, s.kafka, topic); err != nil {
				t.Fatal(err)
			}
		}
		made, err := epoch.Open(s.ctx, s.kafka, epoch.Options{Partitions: 3})
		if err != nil {
			t.Fatal(err)
		}
		p := s.look(renew.Options{})
		if !p.Keep || p.Found != made.Epoch || p.Lost != 0 {
			t.Errorf("the plan is %+v, want to keep %s", p, made.Epoch)
		}
		log := s.begin(p)
		s.agrees(log)
		if log.Epoch != made.Epoch {
			t.Errorf("the epoch is %s, want %s, which has begun", log.Epoch, made.Epoch)
		}
	})
}

// Who beats or ticks is seen, and who did so before is not.
func TestLiving(t *testing.T) {
	s := newSystem(t)
	s.append(schema.TopicControl, 0, schema.ControlKeyBeat("dead"), &schema.Beat{})
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(s.ctx)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.append(schema.TopicControl, 0, schema.ControlKeyBeat("alive"), &schema.Beat{})
			s.append(schema.TopicControl, 0, schema.ControlKeyTick, &schema.Tick{Number: 1})
		}
	}()
	await.That(t, "both are seen, and nobody else", func() bool {
		living, err := renew.Living(s.ctx, s.kafka, time.Second)
		return err == nil && strings.Join(living, ", ") == "a chat worker, connector alive"
	})
	cancel()
	<-done
	if living, err := renew.Living(s.ctx, s.kafka, 50*time.Millisecond); err != nil || len(living) > 0 {
		t.Errorf("nobody writes, and living are %q, error %v", living, err)
	}
}
