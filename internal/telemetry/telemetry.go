// Package telemetry exports what a process does. Metrics are served for
// Prometheus, and pushed where the standard OTEL_… variables ask for it; traces
// go where these name.
// Components do not know this package: they are given providers.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/go-logr/logr"
	"github.com/oklog/ulid/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/meter"
)

// Telemetry is what one process exports. Its methods may be called concurrently.
type Telemetry struct {
	metrics *metrics
	traces  *traces
}

// Start sets up the telemetry of a service, such as parley-connector, in this
// version. Whoever starts it calls Shutdown.
func Start(ctx context.Context, service, version string, log *slog.Logger) (*Telemetry, error) {
	if err := checkVariables(); err != nil {
		return nil, err
	}
	c := &complaints{log: log}
	otel.SetErrorHandler(c)
	otel.SetLogger(logr.New(sink{c}))
	r, err := newResource(ctx, service, version)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(ctx, r, log)
	if err != nil {
		return nil, err
	}
	t, err := newTraces(ctx, r, meter.New(m.provider), c)
	if err == nil {
		err = c.done()
	}
	tell := &Telemetry{metrics: m, traces: t}
	if err != nil {
		tell.Shutdown(ctx)
		return nil, err
	}
	return tell, nil
}

// Check reports which of the OTEL_… variables Start would refuse. It sends
// nothing.
func Check() error {
	ctx, cancel := context.WithCancel(context.Background())
	t, err := Start(ctx, "parley-check", "", slog.New(slog.DiscardHandler))
	cancel()
	if t != nil {
		t.Shutdown(ctx)
	}
	return err
}

// Meters is what components make their instruments with.
func (t *Telemetry) Meters() metric.MeterProvider { return t.metrics.provider }

// Tracers is what components make their spans with; nil when traces are off.
func (t *Telemetry) Tracers() trace.TracerProvider { return t.traces.tracers() }

// MetricsHandler serves all metrics to Prometheus.
func (t *Telemetry) MetricsHandler() http.Handler { return t.metrics.handler() }

// Shutdown sends what was not sent yet, within the time that ctx allows. What
// is measured later is lost.
func (t *Telemetry) Shutdown(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { t.traces.shutdown(ctx) }) // a collector that hangs holds up both
	t.metrics.shutdown(ctx)
	both.Wait()
}

// newResource describes this process: service, version, and an instance id that
// no other process has. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take
// precedence.
func newResource(ctx context.Context, service, version string) (*resource.Resource, error) {
	r, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			semconv.ServiceName(service), semconv.ServiceVersion(version), semconv.ServiceInstanceID(ulid.Make().String()),
		),
		resource.WithFromEnv(),
	)
	if err != nil { // which quotes the variable
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES: it takes key=value,key=value, with percent-encoded values")
	}
	return r, nil
}
