package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/ops/verify"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

const partitions = 3

// system is a log, a database and what a test does with them.
type system struct {
	t          *testing.T
	ctx        context.Context
	addr, dsn  string
	kafka      *eventlog.Client
	db         *clickhouse.DB
	log        epoch.Log
	producers  map[string]*eventlog.Producer
	counters   map[int]uint64   // by partition, of connector "c"
	at         map[string]int64 // offsets of the first events, by id or session
	said       int
	stopWorker func()
	stopWriter func()
}

func newSystem(t *testing.T) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	s := &system{
		t: t, ctx: ctx, addr: embeddedtest.Kafka(t), dsn: embeddedtest.ClickHouse(t),
		producers: map[string]*eventlog.Producer{}, counters: map[int]uint64{}, at: map[string]int64{},
	}
	var err error
	if s.kafka, err = eventlog.New(eventlog.Config{Brokers: []string{s.addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if s.log, err = epoch.Open(ctx, s.kafka, epoch.Options{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	if s.db, err = clickhouse.Open(ctx, s.dsn, clickhouse.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close() })
	if err := s.db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{schema.TopicEvents, schema.TopicState, schema.TopicControl} {
		p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: topic})
		t.Cleanup(func() { p.Close() })
		s.producers[topic] = p
	}
	return s
}

// roles starts a worker and a projector.
func (s *system) roles() {
	s.t.Helper()
	base := roles.Base{Kafka: eventlog.Config{Brokers: []string{s.addr}}}
	w, err := chatworker.New(chatworker.Config{Base: base, FlushEvery: 50 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := projector.New(projector.Config{
		Base: base, ClickHouse: s.dsn, BatchAge: 20 * time.Millisecond,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.stopWorker, s.stopWriter = s.run(w.Run), s.run(p.Run)
}

func (s *system) run(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
		ended <- nil
	}
	s.t.Cleanup(stop)
	return stop
}

// settle lets the roles take in everything and stops them.
func (s *system) settle() {
	s.t.Helper()
	s.roles()
	for p := range partitions {
		await.That(s.t, fmt.Sprintf("partition %d is taken in", p), func() bool {
			var seq int64
			err := s.db.QueryRow(s.ctx, "SELECT max(seq) FROM "+s.db.Table("watermarks_1")+" WHERE partition = ?", p).Scan(&seq)
			marker := new(schema.StateMarker)
			decode(s.t, s.state(p)[schema.StateKeyMarker], marker)
			return err == nil && seq == s.end(p)-1 && marker.Next == s.end(p)
		})
	}
	s.stopWorker()
	s.stopWriter()
}

func (s *system) partition(channel string) int { return schema.PartitionOf(channel, partitions) }

func (s *system) end(partition int) int64 {
	_, end, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, partition)
	if err != nil {
		s.t.Fatal(err)
	}
	return end
}

// talk publishes a bit of everything, in channels of all partitions.
func (s *system) talk() {
	s.said++
	join := func(channel, session string) {
		s.publish(session, &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: channel, Session: session, User: "u" + session, PushPartition: 2}}})
	}
	chat := func(channel, id, to string) {
		s.publish(id, &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: channel, Session: "s1", User: "us1", Id: id, Body: "body of " + id, To: to}}})
	}
	for i, channel := range []string{"lobby", "kitchen", "garden", "roof", "cellar"} {
		suffix := fmt.Sprintf("-%d-%d", s.said, i)
		if s.said == 1 && i == 0 {
			suffix = ""
		}
		join(channel, "s1"+suffix)
		join(channel, "s2"+suffix)
		for n := range 20 {
			chat(channel, fmt.Sprintf("m%d%s", n, suffix), map[bool]string{true: "us2"}[n%4 == 3])
		}
		chat(channel, "m4"+suffix, "") // a retry, which is void
		s.change(channel, suffix)
		s.publish("", &schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{Channel: channel, Session: "s2" + suffix, User: "us2" + suffix, Reason: schema.Reason_REASON_LEAVE}}})
	}
}

// change publishes each kind of format 2 that history has.
func (s *system) change(channel, suffix string) {
	target, frozen, none := s.at["m2"+suffix], true, ""
	by := &schema.Author{By: &schema.Author_Key{Key: "shop"}}
	change := func(id string, c *schema.Change) {
		c.Channel, c.Session, c.User, c.Id, c.Target, c.Author = channel, "s1", "us1", id+suffix, target, "us1"
		s.publish(c.Id, &schema.Event{Kind: &schema.Event_Change{Change: c}})
	}
	change("e1", &schema.Change{Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "better", Type: &none, Data: []byte("{}")}}})
	change("r1", &schema.Change{Act: &schema.Change_React{React: &schema.React{Name: "+"}}})
	change("r1", &schema.Change{Act: &schema.Change_React{React: &schema.React{Name: "-"}}}) // void
	change("d1", &schema.Change{Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: "why"}}})
	s.publish("p1"+suffix, &schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{Channel: channel, By: by, Id: "p1" + suffix, Target: target}}})
	s.publish("set"+suffix, &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{Channel: channel, By: by, Id: "set" + suffix, Frozen: &frozen, Topic: &none, Data: []byte{}}}})
	s.publish("purge"+suffix, &schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{Channel: channel, User: "eve", By: by, Id: "purge" + suffix, Reason: "spam"}}})
	s.publish("ban"+suffix, &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: channel, User: "eve", By: by, Id: "ban" + suffix, Action: schema.Sanction_ACTION_BAN, PurgeSince: &target,
	}}})
	s.publish("mute"+suffix, &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: channel, User: "eve", By: by, Id: "mute" + suffix, Action: schema.Sanction_ACTION_MUTE, Until: 9,
	}}})
	s.publish("", &schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{Channel: channel, Connector: "c", PushPartition: 2}}})
}

// publish appends an event of connector "c" and remembers where the first one
// of a name is.
func (s *system) publish(name string, e *schema.Event) {
	p := s.partition(e.Channel())
	s.counters[p]++
	e.Connector, e.Counter, e.Time = "c", s.counters[p], time.Now().UnixMilli()
	value, err := proto.Marshal(e)
	if err != nil {
		s.t.Error(err)
	}
	offset := s.append(schema.TopicEvents, p, eventlog.Record{Value: value})
	if _, known := s.at[name]; !known {
		s.at[name] = offset
	}
}

func (s *system) append(topic string, partition int, r eventlog.Record) (offset int64) {
	done := make(chan error, 1)
	err := s.producers[topic].Produce(partition, r, func(at int64, err error) { offset = at; done <- err })
	if err == nil {
		err = <-done
	}
	if err != nil {
		s.t.Error(err)
	}
	return offset
}

func (s *system) produce(topic string, partition int, key string, value []byte) {
	s.append(topic, partition, eventlog.Record{Key: []byte(key), Value: value})
}

// writeState writes a key and then the marker, or the key alone when it
// is the marker.
func (s *system) writeState(partition int, key string, value, marker []byte) {
	s.produce(schema.TopicState, partition, key, value)
	if key != schema.StateKeyMarker {
		s.produce(schema.TopicState, partition, schema.StateKeyMarker, marker)
	}
}

// state is the newest value of each key of a partition.
func (s *system) state(partition int) map[string][]byte {
	s.t.Helper()
	first, end, err := s.kafka.Offsets(s.ctx, schema.TopicState, partition)
	if err != nil {
		s.t.Fatal(err)
	}
	values := map[string][]byte{}
	err = s.kafka.ReadRange(s.ctx, schema.TopicState, partition, first, end, 0, func(r eventlog.Record) error {
		values[string(r.Key)] = r.Value
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return values
}

func (s *system) exec(statement string) {
	s.t.Helper()
	for _, table := range []string{"events_1", "changes_1", "watermarks_1", "backup"} {
		statement = strings.ReplaceAll(statement, table, s.db.Table(table))
	}
	if err := s.db.Exec(s.ctx, statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func (s *system) verify() verify.Report {
	s.t.Helper()
	r, err := verify.Run(s.ctx, verify.Config{Kafka: s.kafka, DB: s.db})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func encode(t *testing.T, m proto.Message) []byte {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func decode(t *testing.T, value []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(value, m); err != nil {
		t.Fatal(err)
	}
}
