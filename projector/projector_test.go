package projector

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/schema"
)

// Every kind of event becomes its row; what is about the log itself does not.
func TestRows(t *testing.T) {
	s := newSystem(t)
	private := chat("lobby", "ada", "m2", "psst")
	private.GetChat().To, private.GetChat().Trace = "bob", "0af7651916cd43dd8448eb211c80319c"
	offsets := s.publish(1,
		&schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: "lobby", Session: "s", User: "ada"}}},
		chat("lobby", "ada", "m1", "hi 'there' \\ \x00 \n"),
		private,
		chat("lobby", "ada", "m1", "hi again"),
		&schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{Channel: "lobby", Session: "s", User: "ada", Reason: schema.Reason_REASON_LEAVE}}},
		&schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "c", Reason: schema.Reason_REASON_TIMEOUT}}},
		&schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 1}}},
	)
	s.project(s.config())
	st := s.store()
	s.await(st, 1, offsets[6])
	want := []string{
		`(1,'lobby',1,'join','ada','','','','s','c','2026-09-21 14:13:20.123','',0,'',2)`,
		`(1,'lobby',2,'chat','ada','','m1','hi \'there\' \\ \0 \n','s','c','2026-09-21 14:13:20.123','',0,'',2)`,
		`(1,'lobby',3,'chat','ada','bob','m2','psst','s','c','2026-09-21 14:13:20.123','',0,'0af7651916cd43dd8448eb211c80319c',2)`,
		`(1,'lobby',4,'chat','ada','','m1','hi again','s','c','2026-09-21 14:13:20.123','',1,'',2)`,
		`(1,'lobby',5,'leave','ada','','','','s','c','2026-09-21 14:13:20.123','leave',0,'',2)`,
		`(1,'',6,'down','','','','','','c','2026-09-21 14:13:20.123','timeout',0,'',2)`,
	}
	if got := s.rows(1); !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A time that the table cannot hold stops nothing.
func TestExtremeTimes(t *testing.T) {
	s := newSystem(t)
	var values [][]byte
	for i, at := range []int64{math.MinInt64, -1, math.MaxInt64, math.MaxInt64 / 1000} {
		e := chat("lobby", "ada", fmt.Sprint(i), "hi")
		e.Connector, e.Counter, e.Time = "c", uint64(i+1), at
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	offsets := s.append(0, values...)
	s.project(s.config())
	s.await(s.store(), 0, offsets[3])
	if n := s.count("SELECT count() FROM events_1 FINAL"); n != 4 {
		t.Errorf("%d rows, want 4", n)
	}
}

// The partitions of an empty log have watermarks too: their markers are dealt
// with.
func TestEmptyLog(t *testing.T) {
	s := newSystem(t)
	s.project(s.config())
	st := s.store()
	for p := range s.log.Partitions {
		s.await(st, p, 0)
	}
	known, err := st.db.NewestEpoch(s.ctx)
	if err != nil || known == nil || known.Name != s.log.Epoch || known.Partitions != s.log.Partitions {
		t.Errorf("the epoch in ClickHouse is %+v, error %v", known, err)
	}
}

// A projector resumes after the watermark, and knows the void window before
// it.
func TestRestart(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	stop := s.project(s.config())
	first := s.publish(0, chats("lobby", 0, 50)...)
	s.await(st, 0, first[49])
	stop()
	before := s.count("SELECT count() FROM events_1")
	again := s.publish(0, append(chats("lobby", 40, 5), chats("lobby", 100, 5)...)...)
	s.project(s.config())
	s.await(st, 0, again[9])
	if n := s.count("SELECT count() FROM events_1 FINAL"); n != 60 {
		t.Errorf("%d rows, want 60", n)
	}
	if n := s.count("SELECT count() FROM events_1 FINAL WHERE void = 1"); n != 5 {
		t.Errorf("%d void rows, want the 5 repeats", n)
	}
	if written := s.count("SELECT count() FROM events_1"); written > before+10 {
		t.Errorf("%d rows were written at the restart, want the 10 above the watermark", written-before)
	}
}

// At a restart the rule for void events sees exactly one window back.
func TestWindowAtRestart(t *testing.T) {
	s := newSystemWindow(t, 4)
	st := s.store()
	stop := s.project(s.config())
	s.await(st, 0, s.publish(0, chats("lobby", 1, 8)...)[7])
	stop()
	again := s.publish(0, append(chats("lobby", 5, 1), chats("lobby", 5, 1)...)...) // 9 repeats 5; 10 repeats 9
	s.publish(0, chats("lobby", 6, 1)...)                                           // 11 repeats 6, which is 5 back
	s.project(s.config())
	s.await(st, 0, again[1]+1)
	if n := s.count("SELECT toUInt64(sum(seq)) FROM events_1 FINAL WHERE void = 1"); n != 9+10 {
		t.Errorf("the seqs of void rows add up to %d, want 9 + 10", n)
	}
}

// A crash between rows and watermark, and a projector that wakes up late and
// writes what was written long ago, change nothing.
func TestRepeatsAreHarmless(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	offsets := s.publish(0, chats("lobby", 0, 20)...)
	f := newRowBuilder(s.log, 0, watermark{seq: -1})
	late := newBlock()
	s.fold(f, 0, 0, offsets[9]+1)
	made, _ := f.drain()
	late.add(0, made)
	names, columns := late.columns(s.log.Epoch)
	if err := st.insert(s.ctx, "events_1", names, columns); err != nil {
		t.Fatal(err)
	}
	s.project(s.config())
	s.await(st, 0, offsets[19])
	want := s.rows(1)
	if len(want) != 20 {
		t.Fatalf("%d rows, want 20", len(want))
	}
	for range 2 {
		if err := st.write(s.ctx, late); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.rows(1); !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if w, err := st.watermark(s.ctx, 0); err != nil || w.seq != offsets[19] {
		t.Errorf("the watermark is %d, error %v, want %d", w.seq, err, offsets[19])
	}
}

// Whoever reads a watermark finds the rows up to there.
func TestWatermarkIsNeverAhead(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	cfg := s.config()
	cfg.BatchRows, cfg.BatchAge = 7, time.Millisecond
	s.project(cfg)
	const n = 600
	go s.publish(0, chats("lobby", 0, n)...)
	for seen := int64(0); seen < n; {
		w, err := st.watermark(s.ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen = w.seq
		rows := s.count(fmt.Sprintf("SELECT uniqExact(seq) FROM events_1 WHERE seq <= %d", seen))
		if want := uint64(max(0, seen)); rows != want {
			t.Fatalf("the watermark is %d, but there are %d rows", seen, rows)
		}
	}
}

// While ClickHouse is away the projector waits, logs so once, and continues when
// it is back.
func TestClickHouseAway(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	proxy := clickhousetest.NewProxy(t, s.dsn)
	s.dsn = proxy.DSN
	s.project(s.config())
	s.await(st, 0, s.publish(0, chats("lobby", 0, 5)...)[4])
	proxy.Cut()
	offsets := s.publish(0, chats("lobby", 5, 100)...)
	await.That(t, "it says that ClickHouse is away", func() bool { return s.output.count("ClickHouse is in trouble") > 0 })
	proxy.Restore()
	s.await(st, 0, offsets[99])
	if n := s.count("SELECT count() FROM events_1 FINAL"); n != 105 {
		t.Errorf("%d rows, want 105", n)
	}
	await.That(t, "it says that ClickHouse is back", func() bool { return s.output.count("ClickHouse works again") == 1 })
	if n := s.output.count("ClickHouse is in trouble"); n != 1 {
		t.Errorf("it says %d times that ClickHouse is away, want once", n)
	}
}

// A projector that starts before ClickHouse waits for it.
func TestStartBeforeClickHouse(t *testing.T) {
	s := newSystem(t)
	proxy := clickhousetest.NewProxy(t, s.dsn)
	proxy.Cut()
	cfg := s.config()
	cfg.ClickHouse = proxy.DSN
	s.project(cfg)
	offsets := s.publish(0, chats("lobby", 0, 5)...)
	await.That(t, "it says that it waits", func() bool { return s.output.count("wait for ClickHouse") == 1 })
	proxy.Restore()
	s.await(s.store(), 0, offsets[4])
}

// Two projectors share the partitions; when one goes the other takes over.
func TestTwoProjectors(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	stop := s.project(s.config())
	s.project(s.config())
	total := 0
	publish := func() {
		t.Helper()
		for p := range s.log.Partitions {
			offsets := s.publish(p, chats(fmt.Sprint("room", p), total, 30)...)
			s.await(st, p, offsets[29])
		}
		total += 30 * s.log.Partitions
	}
	publish()
	stop()
	publish()
	if n := s.count("SELECT count() FROM events_1 FINAL WHERE void = 0"); n != uint64(total) {
		t.Errorf("%d rows, want %d", n, total)
	}
}

// A corrupt record is counted, logged with its position and skipped; the
// watermark passes it.
func TestCorruptRecord(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	s.publish(2, chats("lobby", 0, 1)...)
	s.append(2, []byte("no event"), nil)
	s.project(s.config())
	s.await(st, 2, 3)
	s.await(st, 2, s.publish(2, chats("lobby", 1, 1)...)[0])
	if n := s.count("SELECT count() FROM events_1 FINAL"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	if n := s.output.count("partition=2 offset=2"); n != 1 {
		t.Errorf("the corrupt record was logged %d times, want once", n)
	}
}

// When tables are dropped, a running projector fills others from the log's
// beginning, with the same rows, although nothing is published meanwhile. Events come
// back as the next generation.
func TestTablesDropped(t *testing.T) {
	for _, c := range []struct {
		tables     []string
		generation uint32
	}{{[]string{"events_1", "watermarks_1"}, 2}, {[]string{"events_1"}, 2}, {[]string{"watermarks_1"}, 1}} {
		t.Run(strings.Join(c.tables, " "), func(t *testing.T) {
			s := newSystem(t)
			st := s.store()
			s.project(s.config())
			offsets := s.publish(0, chats("lobby", 0, 30)...)
			s.await(st, 0, offsets[29])
			want := s.rows(1)
			s.drop(c.tables...)
			fresh := *st
			fresh.tables.Generation = c.generation
			s.await(&fresh, 0, offsets[29])
			if got := s.rows(c.generation); !slices.Equal(got, want) {
				t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			more := s.publish(1, chats("room", 0, 1)...)
			s.await(&fresh, 1, more[0])
		})
	}
}

// insertRowsAlone inserts the rows of partition 0 up to an offset, and returns the
// batch, whose watermark is still to be inserted.
func (s *system) insertRowsAlone(st *store, last int64) *block {
	s.t.Helper()
	f := newRowBuilder(s.log, 0, watermark{seq: -1})
	s.fold(f, 0, 0, last+1)
	made, _ := f.drain()
	b := newBlock()
	b.add(0, made)
	if err := st.insertRows(s.ctx, b); err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *system) drop(tables ...string) {
	s.t.Helper()
	for _, name := range tables {
		if err := s.sql.Exec(s.ctx, "DROP TABLE "+name+" SYNC"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Both tables are dropped between a batch's rows and its watermark, and another
// projector makes tables again: the watermark does not come to be without the
// rows that it speaks of.
func TestTablesDroppedWithinABatch(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	offsets := s.publish(0, chats("lobby", 0, 30)...)
	b := s.insertRowsAlone(st, offsets[29])
	s.drop("events_1", "watermarks_1")
	fresh := s.store()
	if err := st.insertWatermarks(s.ctx, b); !clickhouse.IsMissing(err) {
		t.Errorf("the watermark of the dropped tables: error %v, want a missing table", err)
	}
	if w, err := fresh.watermark(s.ctx, 0); err != nil || w.seq != -1 {
		t.Errorf("the watermark of the new tables is %d, error %v", w.seq, err)
	}
	s.project(s.config())
	s.await(fresh, 0, offsets[29])
	if n := len(s.rows(fresh.tables.Generation)); n != 30 {
		t.Errorf("%d rows, want 30", n)
	}
}

// Everything is dropped there, and a process that starts knows of no name that
// was in use.
func TestEverythingDroppedWithinABatch(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	offsets := s.publish(0, chats("lobby", 0, 30)...)
	b := s.insertRowsAlone(st, offsets[29])
	s.drop("messages_1", "events_1", "changes_1", "watermarks_1", "migrations_1", "generations", "epochs", "migrations")
	fresh := s.store()
	if fresh.tables.Generation != st.tables.Generation {
		t.Fatalf("generation %d, want the name to be used again", fresh.tables.Generation)
	}
	if err := st.insertWatermarks(s.ctx, b); err != nil {
		t.Error(err)
	}
	if w, err := fresh.watermark(s.ctx, 0); err != nil || w.seq != -1 {
		t.Errorf("the watermark of the new tables is %d, error %v", w.seq, err)
	}
	s.project(s.config())
	s.await(fresh, 0, offsets[29])
	if n := len(s.rows(1)); n != 30 {
		t.Errorf("%d rows, want 30", n)
	}
}

// When another generation becomes the current one, projectors fill that one,
// from its watermark on.
func TestNextGeneration(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	s.project(s.config())
	offsets := s.publish(0, chats("lobby", 0, 30)...)
	s.await(st, 0, offsets[29])
	if err := st.db.CreateGeneration(s.ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := st.db.MakeCurrent(s.ctx, 2); err != nil {
		t.Fatal(err)
	}
	more := s.publish(0, chats("lobby", 30, 10)...)
	next := *st
	next.tables.Generation = 2
	s.await(&next, 0, more[9])
	if n := len(s.rows(2)); n != 40 {
		t.Errorf("%d rows in the new generation, want 40", n)
	}
	if n := len(s.rows(1)); n != 30 {
		t.Errorf("%d rows in the old generation, want 30", n)
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{ClickHouse: "http://x"}); err == nil {
		t.Error("an invalid DSN was accepted")
	}
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c := p.cfg; c.Group != DefaultGroup || c.BatchRows == 0 || c.BatchBytes == 0 || c.BatchAge == 0 || c.Logger == nil {
		t.Errorf("defaults are missing: %+v", c)
	}
}
