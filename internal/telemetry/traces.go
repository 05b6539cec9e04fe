package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Variables that say whether there are traces and where they go.
const (
	sdkDisabled    = "OTEL_SDK_DISABLED"
	tracesExporter = "OTEL_TRACES_EXPORTER"
	otlpEndpoint   = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otlpTraces     = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	queueSize      = "OTEL_BSP_MAX_QUEUE_SIZE"
	batchSize      = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
)

// What waits to be exported, in spans; the standard's default loses spans at
// the first burst. At the bound new spans are dropped.
const (
	defaultQueue = 16_384
	defaultBatch = 2_048
)

// traces are those of one process; nil when they are off.
type traces struct {
	provider *sdk.TracerProvider
	log      *slog.Logger
}

// newTraces starts to export spans as the environment says. Without a word of
// it there are none.
func newTraces(ctx context.Context, of *resource.Resource, log *slog.Logger) (*traces, error) {
	if off() {
		return nil, nil
	}
	sampler, err := samplerFrom(os.Getenv(samplerName), os.Getenv(samplerArg))
	if err != nil {
		return nil, err
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("the OTEL_… variables of traces cannot be used: %w", err)
	}
	otel.SetErrorHandler(&complaints{log: log})
	return &traces{startTraces(of, sampler, exporter), log}, nil
}

func startTraces(of *resource.Resource, s sdk.Sampler, exporter sdk.SpanExporter) *sdk.TracerProvider {
	var options []sdk.BatchSpanProcessorOption
	if os.Getenv(queueSize) == "" {
		options = append(options, sdk.WithMaxQueueSize(defaultQueue))
	}
	if os.Getenv(batchSize) == "" {
		options = append(options, sdk.WithMaxExportBatchSize(defaultBatch))
	}
	return sdk.NewTracerProvider(
		sdk.WithResource(of),
		sdk.WithSampler(&sampler{s}),
		sdk.WithSpanProcessor(&keeper{sdk.NewBatchSpanProcessor(exporter, options...)}),
	)
}

// off reports whether the environment asks for no traces: it names no exporter
// and no endpoint, or says so.
func off() bool {
	if strings.EqualFold(os.Getenv(sdkDisabled), "true") {
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

func (t *traces) tracers() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// shutdown sends what waits, for as long as ctx allows. Spans that nobody takes
// are no reason for a process to fail.
func (t *traces) shutdown(ctx context.Context) {
	if t == nil {
		return
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans are lost", "error", err)
	}
}

// complaintEvery bounds how often trouble with an exporter is logged.
const complaintEvery = time.Minute

// complaints logs what goes wrong with telemetry. It never stops the work.
type complaints struct {
	log  *slog.Logger
	next atomic.Int64 // Unix time in nanoseconds
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	now := time.Now()
	if next := c.next.Load(); now.UnixNano() >= next && c.next.CompareAndSwap(next, now.Add(complaintEvery).UnixNano()) {
		c.log.Warn("telemetry is lost", "error", err)
	}
}
