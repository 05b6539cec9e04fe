package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
)

// metricsExporter is the standard variable for where metrics are pushed.
const metricsExporter = "OTEL_METRICS_EXPORTER"

// metrics are those of one process.
type metrics struct {
	provider *sdk.MeterProvider
	registry *prometheus.Registry
	log      *slog.Logger
}

func newMetrics(ctx context.Context, of *resource.Resource, log *slog.Logger) (*metrics, error) {
	m := &metrics{registry: prometheus.NewRegistry(), log: log}
	served, err := exporter.New(exporter.WithRegisterer(m.registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("set up the metrics for Prometheus: %w", err)
	}
	// Labels are few, and known; what has most is a gauge by partition, of which
	// the default would put all above 2,000 together.
	options := []sdk.Option{sdk.WithResource(of), sdk.WithReader(served), sdk.WithCardinalityLimit(0)}
	pushed, err := pushReader(ctx)
	if err != nil {
		return nil, err
	}
	if pushed != nil {
		options = append(options, sdk.WithReader(pushed))
	}
	m.provider = sdk.NewMeterProvider(options...)
	err = errors.Join(
		m.registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		runtime.Start(runtime.WithMeterProvider(m.provider)),
	)
	if err != nil {
		m.shutdown(ctx)
		return nil, fmt.Errorf("measure the process: %w", err)
	}
	return m, nil
}

// pushReader is what the environment asks for beside /metrics; nil for none.
func pushReader(ctx context.Context) (sdk.Reader, error) {
	switch os.Getenv(metricsExporter) {
	case "", "none", "prometheus": // the last is what /metrics is
		return nil, nil
	}
	if disabled() {
		return nil, nil
	}
	r, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s=%s cannot be used: %w", metricsExporter, os.Getenv(metricsExporter), err)
	}
	return r, nil
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelError),
	})
}

// shutdown pushes what was measured last, for as long as ctx allows. Metrics
// that cannot be delivered must not make a process fail.
func (m *metrics) shutdown(ctx context.Context) {
	if err := m.provider.Shutdown(ctx); err != nil {
		m.log.Warn("the last metrics are lost", "error", err)
	}
}
