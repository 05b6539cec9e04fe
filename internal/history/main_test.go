package history

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// needsNoKafka skips a test of what becomes of events where the tests run against
// Apache Kafka: how the log is read, the tests of tails and TestReadEqualsModel show.
func needsNoKafka(t *testing.T) {
	t.Helper()
	if krafttest.Asked() {
		t.Skip("is about what becomes of events, whichever broker they come from")
	}
}

// world is a log of one partition, a database, and what a test knows of both.
type world struct {
	t      testing.TB
	ctx    context.Context
	kafka  *eventlog.Client
	log    epoch.Log
	dsn    string
	broker string
	db     *clickhouse.DB
	sql    driver.Conn // to the database
	events []event     // by offset
}

// event is one record of the log.
type event struct {
	rpc.Message
	chat, void, corrupt bool
}

// newWorld returns a log with its marker and nothing else. The void window is
// window offsets wide.
func newWorld(t testing.TB, window int64) *world {
	t.Helper()
	dsn := embeddedtest.ClickHouse(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	broker := embeddedtest.Kafka(t)
	kafka, err := eventlog.New(eventlog.Config{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	log, err := epoch.Open(ctx, kafka, epoch.Options{Partitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	log.Window = window
	db, err := clickhouse.Open(ctx, dsn, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &world{t: t, ctx: ctx, kafka: kafka, log: log, dsn: dsn, broker: broker, db: db, sql: clickhousetest.Connect(t, dsn), events: make([]event, 1)}
}

// publish appends chats to the log. A message with an empty body stands for a
// corrupt record, one without an id for a join.
func (w *world) publish(messages ...rpc.Message) {
	w.t.Helper()
	producer := w.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	window := schema.NewVoidWindow(w.log.Window)
	for i := range w.events {
		w.judge(window, int64(i))
	}
	for _, m := range messages {
		m.Seq = int64(len(w.events))
		w.events = append(w.events, event{Message: m, chat: m.Body != "" && m.ID != "", corrupt: m.Body == ""})
		w.events[m.Seq].void = w.judge(window, m.Seq)
		err := producer.Produce(0, eventlog.Record{Value: w.encode(m.Seq)}, func(offset int64, err error) {
			if err != nil || offset != m.Seq {
				w.t.Errorf("event %d was appended at %d: %v", m.Seq, offset, err)
			}
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := producer.Flush(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) event(seq int64) *schema.Event {
	m := &w.events[seq].Message
	e := &schema.Event{Time: m.Time, Connector: "c", Counter: uint64(seq)}
	if w.events[seq].chat {
		e.Kind = &schema.Event_Chat{Chat: &schema.Chat{Channel: m.Channel, Session: "s", User: m.User, To: m.To, Id: m.ID, Body: m.Body, Trace: m.Trace}}
	} else {
		e.Kind = &schema.Event_Join{Join: &schema.Join{Channel: m.Channel, Session: "s", User: m.User}}
	}
	return e
}

func (w *world) judge(window *schema.VoidWindow, seq int64) bool {
	return seq > 0 && !w.events[seq].corrupt && window.Judge(seq, w.event(seq))
}

func (w *world) encode(seq int64) []byte {
	if w.events[seq].corrupt {
		return []byte("no event")
	}
	value, err := proto.Marshal(w.event(seq))
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

// project writes rows as a projector of an epoch does that has come to
// watermark: all rows up to there, some of them twice, and some beyond.
func (w *world) project(generation uint32, epoch string, watermark int64) {
	w.t.Helper()
	if err := w.db.CreateGeneration(w.ctx, generation); err != nil {
		w.t.Fatal(err)
	}
	w.insert(generation, epoch, 0, min(watermark+5, int64(len(w.events)-1)))
	w.insert(generation, epoch, watermark/2, watermark)
	w.exec(fmt.Sprintf("INSERT INTO watermarks_%d (epoch, partition, seq, format, time) VALUES (?, 0, ?, 1, now())", generation), epoch, watermark)
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if err := w.sql.Exec(w.ctx, query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) insert(generation uint32, epoch string, from, to int64) {
	w.t.Helper()
	batch, err := w.sql.PrepareBatch(w.ctx, fmt.Sprintf(`INSERT INTO events_%d (epoch, partition, channel, seq, kind, user, "to", id, body, time, trace, void, version)`, generation))
	if err != nil {
		w.t.Fatal(err)
	}
	defer batch.Close()
	for seq := max(1, from); seq <= to; seq++ {
		e := &w.events[seq]
		if e.corrupt {
			continue
		}
		kind, void := "join", uint8(0)
		if e.chat {
			kind = "chat"
		}
		if e.void {
			void = 1
		}
		if err := batch.Append(epoch, int32(0), e.Channel, seq, kind, e.User, e.To, e.ID, e.Body, time.UnixMilli(e.Time), e.Trace, void, int32(1)); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		w.t.Fatal(err)
	}
}

// migrate makes the tables, and epoch the newest one known there.
func (w *world) migrate(epochs ...string) {
	w.t.Helper()
	if err := w.db.Migrate(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range epochs {
		if err := w.db.AddEpoch(w.ctx, clickhouse.Epoch{Name: e, Partitions: 1}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// reader returns a Reader of an epoch, closed at the end of the test.
func (w *world) reader(epoch string, change func(*Config)) *Reader {
	w.t.Helper()
	log := w.log
	log.Epoch = epoch
	cfg := Config{DSN: w.dsn, Log: w.kafka, Epoch: log, QueryTime: await.Limit, TailTime: await.Limit, TailStep: 5}
	if change != nil {
		change(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(r.Close)
	return r
}

// voids are the void chats of a channel in [from, to).
func (w *world) voids(channel string, from, to int64) []int64 {
	var all []int64
	for seq := max(0, from); seq < min(to, int64(len(w.events))); seq++ {
		if e := &w.events[seq]; e.chat && e.void && e.Channel == channel {
			all = append(all, seq)
		}
	}
	return all
}

// say returns n messages of ada in a channel.
func say(channel string, n int) []rpc.Message {
	all := make([]rpc.Message, n)
	for i := range all {
		all[i] = rpc.Message{Channel: channel, ID: "id" + strconv.Itoa(i), User: "ada", Body: "body " + strconv.Itoa(i), Time: int64(i)}
	}
	return all
}
