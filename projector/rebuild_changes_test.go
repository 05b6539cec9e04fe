package projector

import (
	"math/rand/v2"
	"testing"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// A rebuild fills both tables again: changes of the log, those that the log does not
// hold any more, and those of earlier epochs.
func TestRebuildOfChanges(t *testing.T) {
	s := newSystemWindow(t, 4)
	st := s.store()
	stop := s.project(s.config())
	a := &acts{Rand: rand.New(rand.NewPCG(14, 0))}
	all := []*schema.Event{{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}}}
	for offset := range int64(120) {
		all = append(all, a.event(offset+2))
	}
	last := s.publish(0, all...)
	s.await(st, 0, last[len(last)-1])
	stop()
	for _, table := range []string{"events_1", "changes_1"} {
		if err := st.db.Exec(s.ctx, "INSERT INTO "+st.db.Table(table)+" SELECT * REPLACE ('past' AS epoch) FROM "+st.db.Table(table)); err != nil {
			t.Fatal(err)
		}
	}
	want := s.content(1)
	if n := s.count("SELECT uniqExact(epoch, action) FROM changes_1 FINAL WHERE seq < 60"); n != 8 {
		t.Fatalf("%d actions of two epochs in the part that the log loses", n)
	}
	s.deleteRecords(0, 60)
	g, err := Rebuild(s.ctx, s.config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.content(g); got != want {
		t.Errorf("rows and sums of events and changes are %v, were %v", got, want)
	}
}

// content is how many rows the tables of a generation have, and their sums.
func (s *system) content(g uint32) (all [2][2]uint64) {
	s.t.Helper()
	for i, table := range []string{sql.Events(g), sql.Changes(g)} {
		err := s.sql.QueryRow(s.ctx, "SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM (SELECT * FROM "+table+" FINAL)").Scan(&all[i][0], &all[i][1])
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all
}
