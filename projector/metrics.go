package projector

import (
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/schema"
)

// Values of labels.
const (
	outcomeOK     = "ok"
	outcomeFailed = "failed"
)

// metrics are what a projector measures.
type metrics struct {
	rows    meter.Counter
	batch   meter.Histogram // rows
	writes  meter.Histogram // seconds, by result
	corrupt meter.Tally     // by topic
}

func newMetrics(p metric.MeterProvider) *metrics {
	m := meter.New(p)
	return &metrics{
		rows:  m.Counter("parley.projector.rows", "{row}", "Rows of history that were written, repeats included."),
		batch: m.Histogram("parley.projector.batch.size", "{row}", "Rows that were written at once.", meter.Sizes, nil),
		writes: m.Histogram("parley.projector.write.duration", "s",
			"Time of one attempt to write rows and watermarks, by result.", meter.Seconds, meter.By("result", outcomeOK, outcomeFailed)),
		corrupt: eventlog.CorruptRecords(m, schema.TopicEvents),
	}
}

// wrote counts an attempt to write a batch.
func (m *metrics) wrote(b *block, took time.Duration, err error) {
	if err != nil {
		m.writes.Record(took.Seconds(), outcomeFailed)
		return
	}
	m.writes.Record(took.Seconds(), outcomeOK)
	m.batch.Record(float64(len(b.seq)))
	m.rows.Add(len(b.seq))
}

// gauges registers the gauges of the projector's progress, until stop is called.
func (p *Projector) gauges() (stop func()) {
	g := meter.New(p.cfg.Meters).Gauges()
	g.AddBy("parley.projector.partitions", "{partition}", "Partitions that the consumer group gave to this projector, and those of them that it follows.", "state",
		func(yield func(string, float64)) {
			yield("assigned", float64(p.progress.assigned.Load()))
			yield("serving", float64(p.progress.serving.Load()))
		})
	g.AddByPartition("parley.projector.lag", "{event}", "Events of a partition that are in the log and not in ClickHouse yet.",
		func(yield func(int, float64)) {
			if in := p.progress.inserter.Load(); in != nil {
				in.lags(func(partition int, behind int64, _ time.Duration) { yield(partition, float64(behind)) })
			}
		})
	g.AddByPartition("parley.projector.lag.age", "s", "Age of a partition's oldest event that was read and is not in ClickHouse yet; 0 when there is none.",
		func(yield func(int, float64)) {
			if in := p.progress.inserter.Load(); in != nil {
				in.lags(func(partition int, _ int64, age time.Duration) { yield(partition, age.Seconds()) })
			}
		})
	p.capacity.Gauges(g)
	return g.Start()
}
