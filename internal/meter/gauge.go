package meter

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Gauges are read when somebody asks for metrics, and not before.
type Gauges struct {
	meter Meter
	asked []metric.Observable
	read  []func(metric.Observer)
}

// Gauges makes a group of gauges; Start begins to have them read. A group is
// for one goroutine.
func (m Meter) Gauges() *Gauges { return &Gauges{meter: m} }

// Add makes a gauge whose value read returns, on any goroutine. It is false
// while there is no value.
func (g *Gauges) Add(name, unit, help string, read func() (float64, bool)) {
	i := g.make(name, unit, help)
	g.read = append(g.read, func(o metric.Observer) {
		if v, ok := read(); ok {
			o.ObserveFloat64(i, v)
		}
	})
}

// AddBy makes a gauge with a series for each value of a label that read yields.
func (g *Gauges) AddBy(name, unit, help, label string, read func(yield func(value string, v float64))) {
	i := g.make(name, unit, help)
	g.read = append(g.read, func(o metric.Observer) {
		read(func(value string, v float64) {
			o.ObserveFloat64(i, v, metric.WithAttributes(attribute.String(label, value)))
		})
	})
}

// AddByPartition makes a gauge with a series for each partition that read
// yields.
func (g *Gauges) AddByPartition(name, unit, help string, read func(yield func(partition int, v float64))) {
	g.AddBy(name, unit, help, "partition", func(yield func(string, float64)) {
		read(func(partition int, v float64) { yield(strconv.Itoa(partition), v) })
	})
}

func (g *Gauges) make(name, unit, help string) metric.Float64ObservableGauge {
	i := made(g.meter.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help)))
	g.asked = append(g.asked, i)
	return i
}

// Start has the gauges read until stop is called.
func (g *Gauges) Start() (stop func()) {
	read := g.read
	r, err := g.meter.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, f := range read {
			f(o)
		}
		return nil
	}, g.asked...)
	if err != nil {
		otel.Handle(err)
		return func() {}
	}
	return func() {
		if err := r.Unregister(); err != nil {
			otel.Handle(err)
		}
	}
}
