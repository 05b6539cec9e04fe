package tests

import (
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

func TestLogIsAnOlderCopy(t *testing.T) {
	t.Parallel()
	t.Run("roles that run", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.replace(d.older)
		d.refuses("", everyRole...)
		d.doctor("offsets more than the log")
	})
	t.Run("roles that run, without ClickHouse", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.proxy.Cut()
		d.replace(d.older)
		d.refuses("", "chatworker", "connector")
		d.proxy.Restore() // for which a projector waits before it goes on
		d.refuses("", "projector")
	})
	t.Run("roles that start", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		d.replace(d.older)
		d.startAll()
		d.refuses("offsets more than the log", everyRole...)
		d.start("chatworker") // again, and alone: a role that compared has left word
		d.refuses("offsets more than the log", "chatworker")
	})
	t.Run("roles that start, without ClickHouse", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		d.replace(d.older)
		d.proxy.Cut()
		d.startAll()
		d.ready("chatworker", "connector")
		d.waits("projector")
		d.proxy.Restore()
		d.refuses("offsets more than the log", everyRole...)
	})
}

// A copy from before `parley epoch new` agrees with itself: ClickHouse alone
// knows better.
func TestLogIsOfAnEarlierEpoch(t *testing.T) {
	t.Parallel()
	renewed := func(t *testing.T) *damaged {
		d := newDamaged(t)
		d.stopAll()
		for _, topic := range []string{schema.TopicEvents, schema.TopicControl} { // or epoch new waits for the roles to be forgotten
			if err := admin.DeleteTopic(soon(t), d.log(), topic); err != nil {
				t.Fatal(err)
			}
		}
		d.must("epoch", "new", "--yes")
		return d
	}
	t.Run("roles that run", func(t *testing.T) {
		t.Parallel()
		d := renewed(t)
		d.startAll()
		d.ready(everyRole...)
		d.replace(d.older)
		d.refuses("", everyRole...)
	})
	t.Run("roles that start", func(t *testing.T) {
		t.Parallel()
		d := renewed(t)
		d.replace(d.older)
		d.startAll()
		d.refuses("ClickHouse holds the history of epoch", "projector", "connector")
		d.ready("chatworker")
		d.doctor("ClickHouse holds the history of epoch")
	})
}

func TestLogIsEmpty(t *testing.T) {
	t.Parallel()
	t.Run("roles that run", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.replace("")
		d.refuses("", everyRole...)
		d.untouched()
		d.doctor("is gone")
	})
	t.Run("roles that run, without ClickHouse", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.proxy.Cut()
		d.replace("")
		d.refuses("", everyRole...)
		d.untouched()
	})
	t.Run("roles that start", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		d.replace("")
		d.startAll()
		d.refuses("Kafka has no log", "projector", "connector")
		d.waits("chatworker")
		d.untouched()
	})
	t.Run("roles that start, without ClickHouse", func(t *testing.T) {
		t.Parallel()
		d := newDamaged(t)
		d.stopAll()
		d.replace("")
		d.proxy.Cut()
		d.startAll()
		d.waits(everyRole...)
		d.untouched()
		d.proxy.Restore()
		d.refuses("Kafka has no log", "projector", "connector")
		d.waits("chatworker")
		d.untouched()
	})
}

func TestLogIsDeleted(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"and gone": false, "and made again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testLogIsDeleted(t, again)
		})
	}
}

func testLogIsDeleted(t *testing.T, again bool) {
	damage := func(d *damaged) {
		if again {
			d.recreateEvents(schema.LaptopPartitions)
		} else if err := admin.DeleteTopic(soon(d.t), d.log(), schema.TopicEvents); err != nil {
			d.t.Fatal(err)
		}
	}
	for _, without := range []string{"", ", without ClickHouse"} {
		t.Run("roles that run"+without, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			if without != "" {
				d.proxy.Cut()
			}
			damage(d)
			d.refuses("", everyRole...)
			d.untouched()
			if without == "" {
				d.doctor("is gone")
			}
		})
		t.Run("roles that start"+without, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			d.stopAll()
			if without != "" {
				d.proxy.Cut()
			}
			damage(d)
			d.startAll()
			d.refuses("", everyRole...)
			d.untouched()
		})
	}
}

// One partition lost its beginning; the others are served.
func TestLogIsCut(t *testing.T) {
	t.Parallel()
	cut := func(d *damaged) (lobby int) {
		lobby = schema.PartitionOf("lobby", schema.LaptopPartitions)
		embeddedtest.DeleteRecords(d.t, d.kafka, schema.TopicEvents, lobby, 5)
		return lobby
	}
	elsewhere := func(d *damaged) {
		d.t.Helper()
		name := "a"
		for schema.PartitionOf(name, schema.LaptopPartitions) == schema.PartitionOf("lobby", schema.LaptopPartitions) {
			name += "a"
		}
		u := enter(d.t, d.roles["connector"].listen, "bob")
		u.join(name)
		u.chat(name, "the others are served")
		if m := u.hears(); m.Body != "the others are served" {
			d.t.Errorf("bob hears %q", m.Body)
		}
	}
	for _, without := range []string{"", ", without ClickHouse"} {
		t.Run("roles that run"+without, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			if without != "" {
				d.proxy.Cut()
			}
			cut(d)
			ada := enter(t, d.roles["connector"].listen, "ada")
			ada.join("lobby")
			ada.chat("lobby", "nothing that is needed is missing")
			elsewhere(d)
			d.doctorSays(without == "", "its older events were deleted")
		})
		t.Run("roles that start"+without, func(t *testing.T) {
			t.Parallel()
			d := newDamaged(t)
			d.stopAll()
			cut(d)
			if without != "" {
				d.proxy.Cut()
			}
			d.startAll()
			d.ready("chatworker", "connector")
			elsewhere(d)
			for _, name := range slices.Sorted(slices.Values(everyRole)) {
				select {
				case <-d.roles[name].ended:
					t.Errorf("the %s ends with %v because of one partition", name, d.roles[name].err)
				default:
				}
			}
			d.doctorSays(without == "", "its older events were deleted")
		})
	}
}
