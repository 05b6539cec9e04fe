// Package meter makes the instruments that components measure with. It is
// OpenTelemetry with what every component would repeat: without a provider
// nothing is measured, and counters whose labels are known start at 0, so that
// the first increase is seen too.
//
// Names follow OpenTelemetry's conventions: parley.connector.connections is
// parley_connector_connections for Prometheus, to which it adds unit and
// _total. Labels have few values, known beforehand: never a user, a channel,
// or a connector's id.
package meter

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// scope is the instrumentation scope of all instruments: where two components
// of one process make the same one, they share it.
const scope = "github.com/parley-chat/parley"

// Buckets of histograms.
var (
	// Seconds is for what takes from a millisecond to half a minute.
	Seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	// Sizes is for how much goes together.
	Sizes = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000}
)

// Meter makes instruments. It is safe for concurrent use.
type Meter struct{ meter metric.Meter }

// New returns a Meter of p; when p is nil its instruments measure nothing.
func New(p metric.MeterProvider) Meter {
	if p == nil {
		p = noop.NewMeterProvider()
	}
	return Meter{p.Meter(scope)}
}

// made passes an instrument on. One that could not be made measures nothing.
func made[I any](instrument I, err error) I {
	if err != nil {
		otel.Handle(err)
	}
	return instrument
}

// Counter counts up; it starts at 0.
type Counter struct{ counter metric.Int64Counter }

// Counter makes a counter without labels.
func (m Meter) Counter(name, unit, help string) Counter {
	c := made(m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help)))
	c.Add(context.Background(), 0)
	return Counter{c}
}

// Add counts n more.
func (c Counter) Add(n int) {
	if n != 0 {
		c.counter.Add(context.Background(), int64(n))
	}
}

// Level goes up and down; it starts at 0.
type Level struct{ counter metric.Int64UpDownCounter }

// Level makes a level.
func (m Meter) Level(name, unit, help string) Level {
	c := made(m.meter.Int64UpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(help)))
	c.Add(context.Background(), 0)
	return Level{c}
}

// Add moves the level by n.
func (l Level) Add(n int) { l.counter.Add(context.Background(), int64(n)) }

// Tally counts by the values of labels.
type Tally struct {
	counter metric.Int64Counter
	sets    Sets
}

// Tally makes a counter with a series for each of sets.
func (m Meter) Tally(name, unit, help string, sets Sets) Tally {
	c := made(m.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help)))
	for _, s := range sets {
		c.Add(context.Background(), 0, s)
	}
	return Tally{c, sets}
}

// Add counts n more where the labels have these values, in their order. What
// is not among the sets is counted nowhere.
func (t Tally) Add(n int, values ...string) {
	if s, known := t.sets[key(values)]; known && n != 0 {
		t.counter.Add(context.Background(), int64(n), s)
	}
}

// Histogram shows how values are spread.
type Histogram struct {
	histogram metric.Float64Histogram
	sets      Sets
}

// Histogram makes a histogram with a series for each of sets; nil for one
// without labels.
func (m Meter) Histogram(name, unit, help string, buckets []float64, sets Sets) Histogram {
	h := made(m.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(help),
		metric.WithExplicitBucketBoundaries(buckets...)))
	return Histogram{h, sets}
}

// Record adds a value where the labels have these values, in their order.
func (h Histogram) Record(value float64, values ...string) {
	if h.sets == nil {
		h.histogram.Record(context.Background(), value)
	} else if s, known := h.sets[key(values)]; known {
		h.histogram.Record(context.Background(), value, s)
	}
}

// Sets are the label values that an instrument has, each made once.
type Sets map[string]metric.MeasurementOption

// By is a set for each value of one label.
func By(label string, values ...string) Sets {
	return ByTwo(label, values, "", nil)
}

// ByTwo is a set for each pair of two labels' values.
func ByTwo(label string, values []string, other string, others []string) Sets {
	sets := Sets{}
	for _, v := range values {
		if other == "" {
			sets[v] = metric.WithAttributeSet(attribute.NewSet(attribute.String(label, v)))
		}
		for _, o := range others {
			sets[key([]string{v, o})] = metric.WithAttributeSet(attribute.NewSet(attribute.String(label, v), attribute.String(other, o)))
		}
	}
	return sets
}

// key finds a set.
func key(values []string) string {
	switch len(values) {
	case 1:
		return values[0]
	case 2:
		return values[0] + "\x00" + values[1]
	}
	return ""
}
