package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/schema/rpc"
)

// newest asks for the newest messages of a channel in the whole log.
func (w *world) newest(channel string, limit int) Query {
	end := int64(len(w.events))
	return Query{Channel: channel, User: "ada", Limit: limit, End: end, Voids: w.voids(channel, 0, end)}
}

func seqs(p Page) []int64 {
	all := []int64{}
	for _, m := range p.Messages {
		all = append(all, m.Seq)
	}
	return all
}

// A repeat exactly one window after the original is void, also when the
// original is in ClickHouse and the repeat is the first event that is not.
func TestVoidAtTheEdgeOfTheWindow(t *testing.T) {
	w := newWorld(t, 12)
	messages := say("lobby", 13)
	messages[12].ID = messages[0].ID
	w.publish(append(messages, rpc.Message{Channel: "lobby", ID: "new", User: "ada", Body: "b"})...)
	w.migrate()
	w.project(1, w.log.Epoch, 12)
	q := w.newest("lobby", 2)
	q.Voids, q.VoidsFrom = nil, q.End
	page, err := w.reader(w.log.Epoch, nil).Read(w.ctx, q)
	if err != nil || !slices.Equal(seqs(page), []int64{12, 14}) {
		t.Errorf("messages %v, error %v, want 12 and 14", seqs(page), err)
	}
}

// As long as nobody made the tables, all of history is in the log.
func TestNothingProjected(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 3)...)
	page, err := w.reader(w.log.Epoch, nil).Read(w.ctx, w.newest("lobby", 2))
	if err != nil || !slices.Equal(seqs(page), []int64{2, 3}) || !page.More {
		t.Errorf("messages %v, more %v, error %v", seqs(page), page.More, err)
	}
}

// Beyond its budget a read of the tail fails, and what needs less does not.
//
//parley:bound a read of the tail
func TestTailBudget(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 100)...)
	w.migrate()
	w.project(1, w.log.Epoch, 40)
	small := w.reader(w.log.Epoch, func(c *Config) { c.TailBytes = 3000 })
	if page, err := small.Read(w.ctx, w.newest("lobby", 20)); !errors.Is(err, ErrTail) {
		t.Errorf("beyond the budget in bytes: %v, error %v, want ErrTail", seqs(page), err)
	}
	if page, err := small.Read(w.ctx, w.newest("lobby", 2)); err != nil || !slices.Equal(seqs(page), []int64{99, 100}) || !page.More {
		t.Errorf("the newest of a tail beyond the budget: %v, more %v, error %v", seqs(page), page.More, err)
	}
	q := w.newest("lobby", 2)
	q.Mode, q.Before = Before, 41
	if page, err := small.Read(w.ctx, q); err != nil || !slices.Equal(seqs(page), []int64{39, 40}) {
		t.Errorf("a page that does not need the tail: %v, error %v", seqs(page), err)
	}
	short := w.reader(w.log.Epoch, func(c *Config) { c.TailTime = time.Nanosecond })
	if page, err := short.Read(w.ctx, w.newest("lobby", 2)); !errors.Is(err, ErrTail) {
		t.Errorf("beyond the budget in time: %v, error %v, want ErrTail", seqs(page), err)
	}
}

// While ClickHouse is away reads fail, at once after the first, and the log
// can still be read; when it is back it is used again. Both are logged once.
func TestClickHouseAway(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	w.migrate()
	w.project(1, w.log.Epoch, 5)
	proxy := clickhousetest.NewProxy(t, w.dsn)
	var said strings.Builder
	r := w.reader(w.log.Epoch, func(c *Config) {
		c.DSN = proxy.DSN
		c.Logger = slog.New(slog.NewTextHandler(&said, nil))
	})
	q := w.newest("lobby", 20)
	if _, err := r.Read(w.ctx, q); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	for range 20 {
		if page, err := r.Read(w.ctx, q); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%v, error %v, want ErrUnavailable", seqs(page), err)
		}
	}
	if page, err := r.ReadLog(w.ctx, q, 4); err != nil || !slices.Equal(seqs(page), []int64{4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("the log has %v, error %v", seqs(page), err)
	}
	if r.Watermark(0) != 5 {
		t.Errorf("the watermark known is %d, want 5", r.Watermark(0))
	}
	proxy.Restore()
	await.That(t, "it is used again", func() bool {
		page, err := r.Read(w.ctx, q)
		return err == nil && len(page.Messages) == 10
	})
	r.Close()
	if n := strings.Count(said.String(), "\n"); n != 2 {
		t.Errorf("%d lines were logged, want one when it went away and one when it was back:\n%s", n, said.String())
	}
}

// A restart of ClickHouse that nobody noticed makes no read fail.
func TestClickHouseRestarted(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 3)...)
	w.migrate()
	proxy := clickhousetest.NewProxy(t, w.dsn)
	r := w.reader(w.log.Epoch, func(c *Config) { c.DSN = proxy.DSN })
	for range 5 {
		if _, err := r.Read(w.ctx, w.newest("lobby", 1)); err != nil {
			t.Fatal(err)
		}
		proxy.Cut()
		proxy.Restore()
	}
}

// A server that takes connections and never answers costs a read no more than
// the time for a query.
func TestClickHouseHangs(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 3)...)
	w.migrate()
	proxy := clickhousetest.NewProxy(t, w.dsn)
	r := w.reader(w.log.Epoch, func(c *Config) { c.DSN, c.QueryTime = proxy.DSN, 200*time.Millisecond })
	proxy.Hang()
	ctx, cancel := context.WithTimeout(w.ctx, await.Limit)
	defer cancel()
	if _, err := r.Read(ctx, w.newest("lobby", 1)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v, want ErrUnavailable", err)
	}
}

// A query that takes too long fails alone: the server serves others, and is not
// taken for one that is away.
func TestSlowQueryIsOnlyItsOwn(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 3)...)
	w.migrate()
	w.project(1, w.log.Epoch, 3)
	r := w.reader(w.log.Epoch, nil)
	if _, err := r.Read(w.ctx, w.newest("lobby", 1)); err != nil {
		t.Fatal(err)
	}
	usual := r.store.cfg.QueryTime
	r.store.cfg.QueryTime = 200 * time.Millisecond // for this one alone, however slow the machine is
	err := r.store.within(w.ctx, func(ctx context.Context) error {
		return r.store.db.Exec(ctx, "SELECT sleepEachRow(1) FROM numbers(12) SETTINGS max_block_size = 1")
	})
	r.store.cfg.QueryTime = usual
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("the slow one: %v, want ErrUnavailable", err)
	}
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		if _, err := r.Read(w.ctx, w.newest("lobby", 1)); err != nil {
			t.Fatalf("another one: %v", err)
		}
	}
}

// A server that hangs is taken for one that is away as soon as it gives no sign
// of life: what comes later fails at once.
func TestHangingClickHouseFailsFast(t *testing.T) {
	w := newWorld(t, 12)
	w.migrate()
	proxy := clickhousetest.NewProxy(t, w.dsn)
	r := w.reader(w.log.Epoch, func(c *Config) { c.DSN, c.QueryTime = proxy.DSN, 300*time.Millisecond })
	proxy.Hang()
	await.That(t, "it is taken for one that is away", func() bool {
		if _, err := r.Read(w.ctx, w.newest("lobby", 1)); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("error %v, want ErrUnavailable", err)
		}
		return r.store.away.Load()
	})
}

func TestCallersContext(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 3)...)
	r := w.reader(w.log.Epoch, nil)
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if _, err := r.Read(ctx, w.newest("lobby", 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if _, err := r.Read(w.ctx, w.newest("lobby", 1)); err != nil {
		t.Errorf("the next caller gets %v", err)
	}
	r.Close()
	if _, err := r.Read(w.ctx, w.newest("lobby", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// Older names the newest earlier epoch that has messages for the user, and
// that epoch can be read, with the number of partitions it had.
func TestOlderEpochs(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 5)...)
	w.publish(rpc.Message{Channel: "secret", ID: "s", User: "bob", To: "eve", Body: "psst"})
	w.migrate("first", "empty")
	w.project(1, "first", 6)
	if err := w.db.AddEpoch(w.ctx, clickhouse.Epoch{Name: w.log.Epoch, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w.project(1, w.log.Epoch, 2)
	r := w.reader(w.log.Epoch, nil)
	for _, c := range []struct {
		name  string
		query func(*Query)
		seqs  []int64
		more  bool
		older string
		err   error
	}{
		{"more in this epoch", func(q *Query) { q.Limit = 2 }, []int64{4, 5}, true, "", nil},
		{"all of this epoch", func(q *Query) {}, []int64{1, 2, 3, 4, 5}, false, "first", nil},
		{"nothing in this epoch", func(q *Query) { q.Mode, q.Before = Before, 1 }, []int64{}, false, "first", nil},
		{"forwards", func(q *Query) { q.Mode, q.After = After, 3 }, []int64{4, 5}, false, "", nil},
		{"another user's", func(q *Query) { q.Channel = "secret" }, []int64{}, false, "", nil},
		{"own", func(q *Query) { q.Channel, q.User = "secret", "eve" }, []int64{6}, false, "first", nil},
		{"everyone's", func(q *Query) { q.Channel, q.Everyone = "secret", true }, []int64{6}, false, "first", nil},
		{"another channel", func(q *Query) { q.Channel = "quiet" }, []int64{}, false, "", nil},
		{"an old epoch", func(q *Query) { q.Epoch, q.End = "first", 0 }, []int64{1, 2, 3, 4, 5}, false, "", nil},
		{"an empty epoch", func(q *Query) { q.Epoch = "empty" }, []int64{}, false, "first", nil},
		{"this epoch by name", func(q *Query) { q.Epoch = w.log.Epoch }, []int64{1, 2, 3, 4, 5}, false, "first", nil},
		{"no epoch", func(q *Query) { q.Epoch = "none" }, []int64{}, false, "", ErrEpoch},
	} {
		q := w.newest("lobby", 10)
		c.query(&q)
		page, err := r.Read(w.ctx, q)
		if !slices.Equal(seqs(page), c.seqs) || page.More != c.more || page.Older != c.older || !errors.Is(err, c.err) {
			t.Errorf("%s: %v more=%v older=%q, error %v", c.name, seqs(page), page.More, page.Older, err)
		}
	}
}

// Watermark and rows come from one generation of the tables, the current one.
func TestGenerations(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	w.migrate()
	w.project(1, w.log.Epoch, 8)
	r := w.reader(w.log.Epoch, nil)
	check := func(when string, watermark int64) {
		t.Helper()
		page, err := r.Read(w.ctx, w.newest("lobby", 20))
		if err != nil || len(page.Messages) != 10 || r.Watermark(0) != watermark {
			t.Errorf("%s: %v, watermark %d, error %v", when, seqs(page), r.Watermark(0), err)
		}
	}
	check("in the beginning", 8)
	w.project(2, w.log.Epoch, 3)
	check("while the next generation fills up", 8)
	if err := w.db.MakeCurrent(w.ctx, 2); err != nil {
		t.Fatal(err)
	}
	r.store.forgetMarks() // as after markAge
	check("in the next generation", 3)
	w.exec("DROP TABLE events_1 SYNC")
	w.exec("DROP TABLE watermarks_1 SYNC")
	check("without the old one", 3)
	w.exec("DROP TABLE events_2 SYNC")
	w.exec("DROP TABLE watermarks_2 SYNC")
	check("without any", -1)
}

// The tables are dropped between the watermark and the rows, and a projector
// makes tables again: what is read is not taken for an empty history.
func TestTablesDroppedWithinARead(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	w.migrate()
	w.project(1, w.log.Epoch, 8)
	r := w.reader(w.log.Epoch, nil)
	mark, err := r.store.watermark(w.ctx, 0)
	if err != nil || mark.seq != 8 {
		t.Fatalf("watermark %+v, error %v", mark, err)
	}
	w.exec("DROP TABLE events_1 SYNC")
	w.exec("DROP TABLE watermarks_1 SYNC")
	w.migrate()
	q := w.newest("lobby", 20)
	rows, err := r.store.rows(w.ctx, &q, q.spans()[0], location{generation: mark.generation, epoch: w.log.Epoch, end: mark.seq + 1})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("%d rows of tables that were dropped, error %v", len(rows), err)
	}
	if page, err := r.Read(w.ctx, q); err != nil || len(page.Messages) != 10 || page.More {
		t.Errorf("the next read gets %v, error %v", seqs(page), err)
	}
}

// A read during which the tables are dropped is answered completely or not at all.
func TestTablesDroppedUnderReaders(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(say("lobby", 10)...)
	w.migrate()
	w.project(1, w.log.Epoch, 8)
	r := w.reader(w.log.Epoch, nil)
	dropped := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := false; !last; {
				select {
				case <-dropped:
					last = true
				default:
				}
				page, err := r.Read(w.ctx, w.newest("lobby", 20))
				if err != nil && !errors.Is(err, ErrUnavailable) || err == nil && len(page.Messages) != 10 || err != nil && last {
					t.Errorf("%v, error %v", seqs(page), err)
				}
			}
		})
	}
	for g := range 5 {
		w.exec(fmt.Sprintf("DROP TABLE events_%d SYNC", g+1))
		w.exec(fmt.Sprintf("DROP TABLE watermarks_%d SYNC", g+1))
		w.migrate()
		w.project(uint32(g+2), w.log.Epoch, 8)
	}
	close(dropped)
	readers.Wait()
}

// Many readers at once get the same answers, and share the reads of the log.
func TestSharedReads(t *testing.T) {
	w := newWorld(t, 12)
	var all []rpc.Message
	for i := range 40 {
		all = append(all, say(fmt.Sprint("room", i%8), i+1)[i])
	}
	w.publish(all...)
	w.migrate()
	w.project(1, w.log.Epoch, 10)
	r := w.reader(w.log.Epoch, nil)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			q := w.newest(fmt.Sprint("room", i%8), 3)
			want := w.answer(q, 0)
			page, err := r.Read(w.ctx, q)
			if err != nil || !slices.Equal(seqs(page), seqs(want)) {
				t.Errorf("%s: %v, error %v, want %v", q.Channel, seqs(page), err, seqs(want))
			}
		})
	}
	wg.Wait()
}
