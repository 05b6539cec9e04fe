package ingest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// patience bounds every wait of a test.
const patience = time.Minute

const partitions = 3

// system is a log, a database and what a test does with them.
type system struct {
	t        testing.TB
	ctx      context.Context
	addr     string
	dsn      string
	kafka    *eventlog.Client
	log      epoch.Log
	commands *eventlog.Producer
	output   *output
}

func newSystem(t testing.TB) *system {
	t.Helper()
	return newSystemAt(t, embeddedtest.Kafka(t), embeddedtest.ClickHouse(t))
}

func newSystemAt(t testing.TB, kafka, dsn string) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	s := &system{t: t, ctx: ctx, addr: kafka, dsn: dsn, output: new(output)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.output)
		}
	})
	var err error
	if s.kafka, err = eventlog.New(eventlog.Config{Brokers: []string{s.addr}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kafka.Close)
	if s.log, err = epoch.Open(ctx, s.kafka, epoch.Options{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	s.commands = s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicCommands})
	t.Cleanup(func() { s.commands.Close() })
	return s
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

// start starts ingest, and returns what ends it and waits.
func (s *system) start(change ...func(*Ingest)) (stop func()) {
	s.t.Helper()
	i, err := New(Config{
		Base: roles.Base{
			Kafka:  eventlog.Config{Brokers: []string{s.addr}},
			Logger: slog.New(slog.NewTextHandler(s.output, nil)),
		},
		ClickHouse: s.dsn,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	i.again = 20 * time.Millisecond
	for _, f := range change {
		f(i)
	}
	return run(s.t, i.Run)
}

// project starts a projector, which writes what is that old.
func (s *system) project(age time.Duration) (stop func()) {
	s.t.Helper()
	p, err := projector.New(projector.Config{Base: roles.Base{Kafka: eventlog.Config{Brokers: []string{s.addr}}}, ClickHouse: s.dsn, BatchAge: age})
	if err != nil {
		s.t.Fatal(err)
	}
	return run(s.t, p.Run)
}

func run(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// command writes a command, and returns where.
func (s *system) command(partition int, format string, args ...any) (offset int64) {
	s.t.Helper()
	return s.record(partition, eventlog.Record{Value: fmt.Appendf(nil, format, args...)})
}

func (s *system) record(partition int, rec eventlog.Record) (offset int64) {
	s.t.Helper()
	offset, err := s.commands.ProduceSync(s.ctx, partition, rec)
	if err != nil {
		s.t.Fatal(err)
	}
	return offset
}

// stored is an event that is in the log and not void.
type stored struct {
	*schema.Event
	seq int64
}

// events are those of a channel, without void ones.
func (s *system) events(channel string) (all []stored) {
	s.t.Helper()
	p := schema.PartitionOf(channel, partitions)
	_, end, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, p)
	if err != nil {
		s.t.Fatal(err)
	}
	window := schema.NewVoidWindow(s.log.Window)
	err = s.kafka.ReadRange(s.ctx, schema.TopicEvents, p, 0, end, 0, func(r eventlog.Record) error {
		e, err := schema.DecodeEvent(r.Value)
		if err == nil && !window.Judge(r.Offset, e) && e.Channel() == channel {
			all = append(all, stored{e, r.Offset})
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// rejections are what is in parley.commands.rejected, by partition and offset.
func (s *system) rejections() (all map[string]eventlog.Record) {
	s.t.Helper()
	_, end, err := s.kafka.Offsets(s.ctx, schema.TopicRejected, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	all = map[string]eventlog.Record{}
	err = s.kafka.ReadRange(s.ctx, schema.TopicRejected, 0, 0, end, 0, func(r eventlog.Record) error {
		all[header(&r, headerPartition)+"/"+header(&r, headerOffset)] = r
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func header(r *eventlog.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// committed is how far the group has come with a partition.
func (s *system) committed(partition int) int64 {
	s.t.Helper()
	all, err := admin.Committed(s.ctx, s.kafka, DefaultGroup, schema.TopicCommands, partitions)
	if err != nil {
		s.t.Fatal(err)
	}
	return all[partition]
}

// done waits until a command is carried out.
func (s *system) done(partition int, offset int64) {
	s.t.Helper()
	await.That(s.t, fmt.Sprintf("command %d/%d is carried out", partition, offset), func() bool { return s.committed(partition) > offset })
}

// contains reports whether it was logged.
func (s *system) contains(text string) bool { return strings.Contains(s.output.String(), text) }
