package chatworker

import (
	"fmt"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema"
)

// Events that somebody deletes are noticed while the worker runs, and end
// nothing. A worker that starts afterwards gives up the partition that lacks
// them and serves the others.
func TestCutPartitionDoesNotEndTheOthers(t *testing.T) {
	if krafttest.Asked() {
		t.Skip("deletes records of the embedded broker")
	}
	r := newRig(t)
	const lost = 0
	channels := make([]string, partitions)
	for i := 0; ; i++ {
		name := fmt.Sprint("channel", i)
		channels[schema.PartitionOf(name, partitions)] = name
		if channels[0] != "" && channels[1] != "" && channels[2] != "" {
			break
		}
	}
	soon := func(w *Worker) { w.timing.watch = 50 * time.Millisecond }
	w, stop := r.start(soon)
	r.beat("a", false)
	for p, name := range channels {
		r.join("a", name, fmt.Sprint("session", p), "ada")
		r.chat("a", name, "ada", fmt.Sprint("before", p))
		r.awaitChat("a", fmt.Sprint("before", p))
	}
	if w.watch.cut.Load() != 0 || w.watch.unsafe.Load() != 0 {
		t.Errorf("of a whole log %d partitions are cut and %d settings are wrong", w.watch.cut.Load(), w.watch.unsafe.Load())
	}
	embeddedtest.DeleteRecords(t, r.addr, schema.TopicEvents, lost, 2)
	await.That(t, "the cut is noticed", func() bool { return w.watch.cut.Load() == 1 })
	r.chat("a", channels[lost], "ada", "it runs on")
	r.awaitChat("a", "it runs on")
	stop()

	w, _ = r.start(soon)
	for p, name := range channels {
		r.chat("a", name, "ada", fmt.Sprint("after", p))
		if p != lost {
			r.awaitChat("a", fmt.Sprint("after", p))
		}
	}
	await.That(t, "the partition that lacks events is given up", func() bool { return w.lost.Load() == 1 && w.serving.Load() == partitions-1 })
	if h := w.Health(r.ctx()); !h.Ready() {
		t.Errorf("the worker is not ready because of one partition: %v", h.Unready)
	}
	ids, _ := r.chats("a")
	for _, id := range ids {
		if id == fmt.Sprint("after", lost) {
			t.Error("the partition that lacks events is served")
		}
	}
}
