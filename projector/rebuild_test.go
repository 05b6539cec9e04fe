package projector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// The log gives the same rows again while chat continues, and the projector
// follows to the new tables.
func TestRebuildUnderLoad(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	s.project(s.config())
	s.publish(0, chats("lobby", 0, 500)...)
	kitchen := s.publish(1, chats("kitchen", 0, 500)...)
	lobby := s.publish(0, chats("lobby", 100, 50)...) // repeats, which are void
	s.await(st, 0, lobby[49])
	s.await(st, 1, kitchen[499])
	var talking sync.WaitGroup
	stop := make(chan struct{})
	talking.Go(func() {
		for n := 1000; ; n += 10 {
			select {
			case <-stop:
				return
			default:
				s.publish(0, chats("lobby", n, 10)...)
			}
		}
	})
	told := RebuildProgress{}
	g, err := Rebuild(s.ctx, s.config(), func(p RebuildProgress) { told = p })
	if err != nil || g != 2 {
		t.Errorf("generation %d, error %v", g, err)
	}
	if told.Generation != 2 || told.Done != told.Of || told.Of == 0 {
		t.Errorf("its last report is %+v", told)
	}
	close(stop)
	talking.Wait()
	last := s.publish(0, chats("lobby", 10_000_000, 5)...) // beyond what was talked about, however long it took
	fresh := &store{db: st.db, tables: clickhouse.Tables{Generation: 2}, epoch: s.log.Epoch}
	s.await(fresh, 0, last[4])
	// What the projector wrote to both agrees; the old tables end where the
	// projector left them.
	old, rebuilt := s.rows(1), s.rows(2)
	if !isWithin(old, rebuilt) || len(old) < 1050 {
		t.Errorf("%d rows before and %d after, and they differ", len(old), len(rebuilt))
	}
	if n := s.count("SELECT uniqExact(partition, seq) FROM events_2"); int(n) != int(last[4])+500 {
		t.Errorf("%d rows, want one for each event: %d", n, last[4]+500)
	}
	if n := s.count("SELECT count() FROM events_2 FINAL WHERE void = 1"); n != 50 {
		t.Errorf("%d void rows, want 50", n)
	}
}

func isWithin(part, whole []string) bool {
	known := map[string]bool{}
	for _, r := range whole {
		known[r] = true
	}
	return !slices.ContainsFunc(part, func(r string) bool { return !known[r] })
}

// A rebuild that is interrupted changes nothing for readers, and the next one
// continues.
func TestRebuildInterrupted(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	stop := s.project(s.config())
	last := s.publish(0, chats("lobby", 0, 300)...)
	s.await(st, 0, last[299])
	stop()
	want := s.rows(1)
	for range 2 {
		ctx, cancel := context.WithCancel(s.ctx)
		_, err := Rebuild(ctx, s.config(), func(RebuildProgress) { cancel() })
		cancel()
		if g, _ := st.db.Generation(s.ctx); err == nil != (g == 2) {
			t.Fatalf("error %v, and the current generation is %d", err, g)
		}
	}
	g, err := Rebuild(s.ctx, s.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.rows(g); !slices.Equal(got, want) {
		t.Errorf("%d rows, want the same %d", len(got), len(want))
	}
}

// Rows of earlier epochs, and those that the log does not hold any more, are
// carried over.
func TestRebuildCarriesOver(t *testing.T) {
	s := newSystemWindow(t, 4)
	st := s.store()
	stop := s.project(s.config())
	last := s.publish(0, append(chats("lobby", 0, 40), chats("lobby", 38, 1)...)...)
	s.await(st, 0, last[40])
	stop()
	if err := st.db.Exec(s.ctx, "INSERT INTO "+st.db.Table("events_1")+" SELECT * REPLACE ('past' AS epoch) FROM "+st.db.Table("events_1")); err != nil {
		t.Fatal(err)
	}
	want := s.rows(1)
	s.deleteRecords(0, 20)
	g, err := Rebuild(s.ctx, s.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.rows(g); !slices.Equal(got, want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, said := range []string{"earlier epoch", "the log begins later"} {
		if s.output.count(said) == 0 {
			t.Errorf("it does not say that %s", said)
		}
	}
}

// A rebuild that was interrupted in an earlier epoch left a part of its rows in
// the new tables. The rest, whose log is gone, is not taken for carried over.
func TestRebuildAfterAnotherEpoch(t *testing.T) {
	s := newSystem(t)
	st := s.store()
	stop := s.project(s.config())
	last := s.publish(0, chats("lobby", 0, 40)...)
	s.await(st, 0, last[39])
	stop()
	copyTo := func(g, from uint32, table func(uint32) string, what string) {
		t.Helper()
		if err := st.db.Exec(s.ctx, "INSERT INTO "+st.db.Table(table(g))+" SELECT * "+what+" FROM "+st.db.Table(table(from))+" WHERE partition = 0"); err != nil {
			t.Fatal(err)
		}
	}
	copyTo(1, 1, sql.Events, "REPLACE ('past' AS epoch)")
	copyTo(1, 1, sql.Watermarks, "REPLACE ('past' AS epoch)")
	want := s.rows(1)
	if err := st.db.CreateGeneration(s.ctx, 2); err != nil {
		t.Fatal(err)
	}
	copyTo(2, 1, sql.Watermarks, "REPLACE ('past' AS epoch, 7 AS seq)")
	g, err := Rebuild(s.ctx, s.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.rows(g); !slices.Equal(got, want) {
		t.Errorf("%d rows are left of %d", len(got), len(want))
	}
}

// Where the log begins past the end of what ClickHouse holds, something is lost,
// which no rebuild hides.
func TestRebuildRefusesAHole(t *testing.T) {
	s := newSystemWindow(t, 4)
	st := s.store()
	stop := s.project(s.config())
	s.await(st, 0, s.publish(0, chats("lobby", 0, 10)...)[9])
	stop()
	s.publish(0, chats("lobby", 100, 20)...)
	s.deleteRecords(0, 15)
	if _, err := Rebuild(s.ctx, s.config(), nil); err == nil || !strings.Contains(err.Error(), "is lost") {
		t.Errorf("the rebuild says %v", err)
	}
	if g, err := st.db.Generation(s.ctx); g != 1 || err != nil {
		t.Errorf("generation %d is current, error %v", g, err)
	}
}

// deleteRecords lets a partition of the events begin at offset first.
func (s *system) deleteRecords(partition int, first int64) {
	s.t.Helper()
	embeddedtest.DeleteRecords(s.t, s.addr, schema.TopicEvents, partition, first)
	if at, _, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, partition); err != nil || at != first {
		s.t.Fatal(fmt.Errorf("the partition begins at %d: %w", at, err))
	}
}
