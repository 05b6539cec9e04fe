package hooks

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// An owner that another one has fenced writes nothing any more. Where the group still
// gives it the partition, it takes it again, and nothing is lost or out of order.
func TestFencedOwnerTakesOverAgain(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	r.append(0, chat("c", "ann", "one"))
	r.start(p.URL)
	r.gets(p, 0, "chat c ann one")
	other, err := New(configOf(r.addr, p.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer other.client.Close()
	defer other.receiver.Close()
	if err := other.open(r.ctx()); err != nil {
		t.Fatal(err)
	}
	c, tr, err := other.takeOver(r.ctx(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.producer.Close() }()
	if tr.from.next == 0 {
		t.Error("the second owner does not know how far the first one was")
	}
	r.append(0, chat("c", "ann", "two"))
	r.gets(p, 0, "chat c ann one", "chat c ann two")
	r.append(0, chat("c", "ann", "three"))
	r.gets(p, 0, "chat c ann one", "chat c ann two", "chat c ann three")
	await.That(t, "the second owner is fenced by the first", func() bool {
		return errors.Is(c.position(r.ctx(), &schema.HooksFrom{Epoch: other.epoch.Epoch}), eventlog.ErrFenced)
	})
}

// A receiver that does not take events is a warning, and no reason not to be ready:
// another process would fare no better.
func TestHealthWhileEventsWait(t *testing.T) {
	r, p := newRig(t), newProgram(t, false)
	p.before = func(w http.ResponseWriter, _ message) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	}
	h, _ := r.start(p.URL)
	r.append(0, chat("c", "ann", "one"))
	await.That(t, "it is in trouble", func() bool {
		_, _, n := h.troubles.worst()
		return n > 0
	})
	h.troubles.mu.Lock()
	h.troubles.all[0] = trouble{time.Now().Add(-time.Hour), "it answered 500"}
	h.troubles.mu.Unlock()
	await.That(t, "it is ready", func() bool { return h.Health(r.ctx()).Ready() })
	if health := h.Health(r.ctx()); !strings.Contains(strings.Join(health.Warnings, " "), "those of partition 0 for 1h0m") {
		t.Errorf("the health is %+v", health)
	}
}
