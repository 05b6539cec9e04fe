package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/meter"
)

// Variables for whether there are traces and where they go.
const (
	sdkDisabled    = "OTEL_SDK_DISABLED"
	tracesExporter = "OTEL_TRACES_EXPORTER"
	otlpEndpoint   = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otlpTraces     = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

// traces are those of one process; nil when they are off.
type traces struct {
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// newTraces starts to export spans as the environment asks. By default there
// are none.
func newTraces(ctx context.Context, of *resource.Resource, m meter.Meter, c *complaints) (*traces, error) {
	if off() {
		spansOf(m) // which shows zeros
		return nil, nil
	}
	s, err := samplerFrom(os.Getenv(samplerName), os.Getenv(samplerArg))
	if err != nil {
		return nil, err
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("the OTEL_… variables of traces cannot be used: %w", err)
	}
	q, err := newQueue(exporter, m, c)
	if err != nil {
		return nil, err
	}
	return &traces{sdk.NewTracerProvider(sdk.WithResource(of), sdk.WithSampler(&sampler{s}), sdk.WithSpanProcessor(q)), c.log}, nil
}

// off reports whether the environment asks for no traces: it names no exporter
// and no endpoint, or turns them off.
func off() bool {
	if disabled() {
		return true
	}
	switch os.Getenv(tracesExporter) {
	case "":
		return os.Getenv(otlpEndpoint) == "" && os.Getenv(otlpTraces) == ""
	case "none":
		return true
	}
	return false
}

// disabled reports whether OpenTelemetry is to send nothing at all.
func disabled() bool { return strings.EqualFold(os.Getenv(sdkDisabled), "true") }

func (t *traces) tracers() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// shutdown sends what waits, for as long as ctx allows. Spans that cannot be
// delivered must not make a process fail.
func (t *traces) shutdown(ctx context.Context) {
	if t == nil {
		return
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans are lost", "error", err)
	}
}
