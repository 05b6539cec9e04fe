package chatworker

import (
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/chatworker/lease"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// Values of labels.
const (
	outcomeOK     = "ok"
	outcomeFailed = "failed"

	takenFromMemory     = "memory"     // what this worker had before a rebalance
	takenFromCheckpoint = "checkpoint" // what the owner before has written

	signalIn      = "in"
	signalOut     = "out"
	signalDropped = "dropped"
)

// metrics are what a worker measures.
type metrics struct {
	events      meter.Counter
	pushes      meter.Counter
	batch       meter.Histogram // events
	takeovers   meter.Histogram // seconds, by where the state came from
	replayed    meter.Counter
	checkpoints meter.Histogram // seconds, by result
	records     meter.Counter   // of checkpoints
	downs       meter.Tally     // by reason
	corrupt     meter.Tally     // by topic
	lags        meter.Figures   // events that are not applied yet
	sanctions   meter.Figures
	signals     meter.Tally // by what became of them
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	return &metrics{
		events: m.Counter("parley.chatworker.events", "{event}", "Events that were applied."),
		pushes: m.Counter("parley.chatworker.pushes", "{push}", "Pushes to connectors that the log has acknowledged."),
		batch:  m.Histogram("parley.chatworker.batch.size", "{event}", "Events that were read at once.", meter.Sizes, nil),
		takeovers: m.Histogram("parley.chatworker.takeover.duration", "s",
			"Time from a partition's assignment until it was served, by where its state came from: memory, or the checkpoint of the owner before.",
			meter.Seconds, meter.By("from", takenFromMemory, takenFromCheckpoint)),
		replayed: m.Counter("parley.chatworker.replayed", "{event}",
			"Events after the saved state of a partition when it was taken over: connectors may have their pushes already, and drop them."),
		checkpoints: m.Histogram("parley.chatworker.checkpoint.duration", "s",
			"Time to write a partition's changed state, including the wait for its pushes, by result.",
			meter.Seconds, meter.By("result", outcomeOK, outcomeFailed)),
		records: m.Counter("parley.chatworker.checkpoint.records", "{record}", "Records of state that were written."),
		downs: m.Tally("parley.chatworker.downs", "{connector}",
			"Connectors that were declared down, by reason: silent (its beats stopped), drained (it announced that it leaves), or orphan (a partition holds members of one without a beat).",
			meter.By("reason", "silent", "drained", "orphan")),
		signals: m.Tally("parley.chatworker.signals", "{signal}",
			"Signals by what became of them: in, they were read; out, they were sent on, once for each connector; dropped for a newer one, a full queue, a user who has left, or the want of a topic.",
			meter.By("what", signalIn, signalOut, signalDropped)),
		corrupt: eventlog.CorruptRecords(m, schema.TopicEvents, schema.TopicControl, schema.TopicRules),
	}
}

// flushed counts a checkpoint.
func (m *metrics) flushed(took time.Duration, records int, err error) {
	if err != nil {
		m.checkpoints.Record(took.Seconds(), outcomeFailed)
		return
	}
	m.checkpoints.Record(took.Seconds(), outcomeOK)
	m.records.Add(records)
}

// died counts connectors that are declared down everywhere.
func (m *metrics) died(dead []lease.Death) {
	for _, d := range dead {
		if d.Reason == schema.Reason_REASON_TIMEOUT {
			m.downs.Add(1, "silent")
		} else {
			m.downs.Add(1, "drained")
		}
	}
}

// gauges begins to show what the worker holds, whenever somebody asks, until
// stop is called.
func (w *Worker) gauges() (stop func()) {
	g := meter.New(w.cfg.Meters).Gauges()
	g.AddBy("parley.chatworker.partitions", "{partition}", "Partitions that the consumer group gave to this worker, and those of them that it serves.", "state",
		func(yield func(string, float64)) {
			yield("assigned", float64(w.assigned.Load()))
			yield("serving", float64(w.serving.Load()))
		})
	g.Add("parley.chatworker.log.partitions", "{partition}", "Partitions that the log of events has.", func() (float64, bool) {
		return float64(w.epoch.Partitions), true
	})
	g.Add("parley.chatworker.log.cut", "{partition}", "Partitions of the log whose older events were deleted.", func() (float64, bool) {
		return float64(w.watch.cut.Load()), true
	})
	g.Add("parley.chatworker.log.unsafe", "{setting}", "Settings of parley.events by which Kafka will delete events.", func() (float64, bool) {
		return float64(w.watch.unsafe.Load()), true
	})
	g.AddByPartition("parley.chatworker.lag", "{event}", "Events of a partition that are in the log and not applied yet.", w.metrics.lags.All)
	g.AddByPartition("parley.chatworker.sanctions", "{sanction}", "Mutes and bans of a partition's channels that nobody has lifted, those whose time has ended included. At 200,000 connectors take no more.", w.metrics.sanctions.All)
	g.Add("parley.chatworker.keeper", "{worker}", "Whether this worker keeps the connectors' leases: 1 or 0.", func() (float64, bool) {
		if w.keeping.Load() {
			return 1, true
		}
		return 0, true
	})
	g.Add("parley.chatworker.queue", "By", "Bytes of pushes that the log has not acknowledged. At 32 MiB the worker waits.", func() (float64, bool) {
		return float64(w.queued.Load()), true
	})
	w.capacity.Gauges(g)
	rules.Gauges(g, w.keeper.rules.Load)
	return g.Start()
}
