package hooks

import (
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// Values of labels: why events were not sent.
const (
	skippedGivenUp = "given_up"
	skippedByHand  = "by_hand"
)

// metrics are what hooks measure.
type metrics struct {
	events   meter.Tally     // by kind
	requests meter.Histogram // seconds, by result
	skipped  meter.Tally     // by why
	corrupt  meter.Tally     // by topic
	lags     meter.Figures
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	return &metrics{
		events: m.Tally("parley.hooks.events", "{event}", "Events that the receiver has taken, by kind.", meter.By("kind", Kinds...)),
		requests: m.Histogram("parley.hooks.request.duration", "s",
			"Time that requests to the receiver took, by result: ok, gone (410, after which nothing more is sent), redirect, status (any other), timeout, tls (its certificate is not trusted) or connection.",
			meter.Seconds, meter.By("result", webhook.Results...)),
		skipped: m.Tally("parley.hooks.skipped", "{event}", "Events that were not sent because the receiver did not take them, by why: given_up after --give-up, or by_hand.",
			meter.By("why", skippedGivenUp, skippedByHand)),
		corrupt: eventlog.CorruptRecords(m, schema.TopicEvents),
	}
}

// sent counts what the receiver has taken.
func (m *metrics) sent(items []item) {
	kinds := map[string]int{}
	for i := range items {
		kinds[items[i].kind]++
	}
	for kind, n := range kinds {
		m.events.Add(n, kind)
	}
}

// gauges begins to show how far the hooks are, until stop is called.
func (h *Hooks) gauges() (stop func()) {
	g := meter.New(h.cfg.Meters).Gauges()
	g.AddBy("parley.hooks.partitions", "{partition}", "Partitions that the consumer group gave to this process, and those of them that it serves.", "state",
		func(yield func(string, float64)) {
			yield("assigned", float64(h.assigned.Load()))
			yield("serving", float64(h.serving.Load()))
		})
	g.AddByPartition("parley.hooks.lag", "{event}", "Events of the log of a partition that are above what the receiver has.", h.metrics.lags.All)
	g.Add("parley.hooks.waiting", "s", "For how long the events of a partition have waited for the receiver to take them, of the partition that waits longest; 0: none waits. Counted by this process: from 0 again after a restart.", func() (float64, bool) {
		_, worst, n := h.troubles.worst()
		if n == 0 {
			return 0, true
		}
		return time.Since(worst.since).Seconds(), true
	})
	g.Add("parley.hooks.gone", "{name}", "Whether the receiver has answered 410, so that nothing is sent any more: 1 or 0.", func() (float64, bool) {
		if h.gone.Load() {
			return 1, true
		}
		return 0, true
	})
	return g.Start()
}
