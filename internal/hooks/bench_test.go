package hooks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// BenchmarkHooks is how many events a second go to a receiver that answers at once, from
// a log that holds them all, with the broker and the receiver on the same cores; and how
// much processor time a million of them take, of all three together.
func BenchmarkHooks(b *testing.B) {
	const events = 100_000
	r := newRig(b)
	for i := range events {
		r.produce(i%partitions, chat(fmt.Sprintf("channel-%d", i%100), "somebody", fmt.Sprintf("a message of some forty bytes, it is %06d", i)), nil)
	}
	if err := r.events.Flush(r.ctx()); err != nil {
		b.Fatal(err)
	}
	var received atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		received.Add(1)
	}))
	defer s.Close()
	for i := 0; b.Loop(); i++ {
		used, began := embeddedtest.ProcessorTime(b), time.Now()
		h, stop := r.start(s.URL, named(fmt.Sprintf("bench-%d", i)))
		await.That(r.t, "all events are sent", func() bool { return h.Stats().Events >= events })
		took := time.Since(began)
		stop()
		b.ReportMetric(float64(events)/took.Seconds(), "events/s")
		b.ReportMetric((embeddedtest.ProcessorTime(b)-used).Seconds()*1e6/events, "cpu-s/million")
	}
	b.ReportMetric(float64(received.Load())/float64(b.N), "requests/op")
}
