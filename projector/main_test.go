package projector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// system is a log, a database and what a test does with them.
type system struct {
	t        testing.TB
	ctx      context.Context
	kafka    *eventlog.Client
	log      epoch.Log
	dsn      string
	producer *eventlog.Producer
	counters []uint64 // by partition, of connector "c"
	output   *output
	addr     string
	sql      driver.Conn // to the database
}

func newSystem(t testing.TB) *system {
	t.Helper()
	return newSystemWindow(t, schema.Window)
}

// newSystemWindow is a system with a void window of that many offsets, and a
// log of 3 partitions.
func newSystemWindow(t testing.TB, window int64) *system {
	t.Helper()
	dsn, broker := embeddedtest.ClickHouse(t), embeddedtest.Kafka(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	s := &system{t: t, ctx: ctx, kafka: kafka, dsn: dsn, addr: broker, counters: make([]uint64, partitions), output: new(output)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.output)
		}
	})
	s.sql = clickhousetest.Connect(t, dsn)
	s.producer = kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	t.Cleanup(func() { s.producer.Close() })
	if window != schema.Window {
		s.markWith(window)
	}
	if s.log, err = epoch.Open(ctx, kafka, epoch.Options{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return s
}

const partitions = 3

// markWith begins a log with another window than a new one has.
func (s *system) markWith(window int64) {
	s.t.Helper()
	for _, topic := range schema.Topics(partitions) {
		if topic.Name == schema.TopicEvents {
			err := admin.EnsureTopics(s.ctx, s.kafka, []admin.Topic{{Name: topic.Name, Partitions: topic.Partitions, Config: topic.Config}})
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for p := range partitions {
		s.publish(p, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: 1, Window: window}}})
	}
}

// output collects what is logged.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) count(s string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Count(o.buf.Bytes(), []byte(s))
}

// config is a projector's, which writes its log into the system's output.
func (s *system) config() Config {
	return Config{
		Base: roles.Base{
			Kafka:  eventlog.Config{Brokers: []string{s.addr}},
			Logger: slog.New(slog.NewTextHandler(s.output, nil)),
		},
		ClickHouse: s.dsn, BatchAge: 20 * time.Millisecond,
	}
}

// project runs a projector; the returned function stops it and is called at
// the end of the test at the latest.
func (s *system) project(cfg Config) (stop func()) {
	s.t.Helper()
	p, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.run(p)
}

func (s *system) run(p *Projector) (stop func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				s.t.Errorf("the projector ended with: %v", err)
			}
		})
	}
	s.t.Cleanup(stop)
	return stop
}

// fails runs a projector that is expected to give up, and returns its error.
func (s *system) fails() error {
	s.t.Helper()
	p, err := New(s.config())
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, await.Limit)
	defer cancel()
	if err = p.Run(ctx); err == nil {
		s.t.Error("the projector did not give up")
	}
	return err
}

// publish appends events of connector "c", numbered unless they are already,
// and returns their offsets.
func (s *system) publish(partition int, events ...*schema.Event) []int64 {
	s.t.Helper()
	var records [][]byte
	for _, e := range events {
		if e.Connector == "" && e.GetDown() == nil && e.GetMarker() == nil && e.GetFormat() == nil {
			s.counters[partition]++
			e.Connector, e.Counter = "c", s.counters[partition]
		}
		e.Time = 1_790_000_000_123
		value, err := proto.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		records = append(records, value)
	}
	return s.append(partition, records...)
}

// append appends records as they are.
func (s *system) append(partition int, values ...[]byte) []int64 {
	s.t.Helper()
	offsets := make([]int64, len(values))
	failed := make(chan error, len(values))
	for i, v := range values {
		err := s.producer.Produce(partition, eventlog.Record{Value: v}, func(offset int64, err error) {
			offsets[i] = offset
			failed <- err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for range values {
		if err := <-failed; err != nil {
			s.t.Fatal(err)
		}
	}
	return offsets
}

func chat(channel, user, id, body string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: channel, Session: "s", User: user, Id: id, Body: body}}}
}

func chats(channel string, from, n int) []*schema.Event {
	var all []*schema.Event
	for i := range n {
		all = append(all, chat(channel, "ada", fmt.Sprint("id", from+i), fmt.Sprint("body ", from+i)))
	}
	return all
}

// db opens the system's database.
func (s *system) db() *clickhouse.DB {
	s.t.Helper()
	db, err := clickhouse.Open(s.ctx, s.dsn, clickhouse.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	return db
}

// store is the store of the current generation.
func (s *system) store() *store {
	s.t.Helper()
	db := s.db()
	if err := db.Migrate(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	tables, err := db.Current(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return &store{db: db, tables: tables, epoch: s.log.Epoch}
}

// await waits until the watermark of a partition is at least seq.
func (s *system) await(st *store, partition int, seq int64) {
	s.t.Helper()
	await.That(s.t, fmt.Sprintf("the watermark of partition %d is %d", partition, seq), func() bool {
		w, err := st.watermark(s.ctx, partition)
		return err == nil && w.seq >= seq
	})
}

func (s *system) count(query string) uint64 {
	s.t.Helper()
	var n uint64
	if err := s.sql.QueryRow(s.ctx, query).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// fold applies the records [from, to) of a partition.
func (s *system) fold(f *rowBuilder, partition int, from, to int64) {
	s.t.Helper()
	err := s.kafka.ReadRange(s.ctx, schema.TopicEvents, partition, from, to, 0, func(r eventlog.Record) error { return f.apply(&r) })
	if err != nil {
		s.t.Fatal(err)
	}
}

// rows reads all rows of a generation, without repeats.
func (s *system) rows(generation uint32) []string {
	s.t.Helper()
	rows, err := s.sql.Query(s.ctx, `SELECT toString(tuple("`+strings.Join(eventColumns[1:], `", "`)+`")) FROM `+sql.Events(generation)+` FINAL ORDER BY partition, seq`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var r string
		if err := rows.Scan(&r); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}
