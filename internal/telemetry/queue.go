package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/quote"
)

// Variables of the queue of spans.
const (
	queueSize     = "OTEL_BSP_MAX_QUEUE_SIZE"
	batchSize     = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
	scheduleDelay = "OTEL_BSP_SCHEDULE_DELAY"
)

// What waits to be exported, in spans; the standard's default loses spans at
// the first burst.
const (
	defaultQueue = 16_384
	defaultBatch = 2_048
	largestQueue = 1 << 20
)

// Outcomes of a span that is to be exported.
const (
	spanExported = "exported"
	spanFailed   = "failed"
	spanDropped  = "dropped"
)

var errQueueFull = errors.New("spans are made faster than they are exported: the queue is full, see " + queueSize)

// queue takes sampled spans, and those that failed, until they are exported. It
// is bounded: more than that is dropped and counted, and the work continues.
type queue struct {
	sdk.SpanProcessor
	bound      int64
	waiting    atomic.Int64 // taken, and not exported yet
	spans      meter.Tally  // by outcome
	complaints *complaints
}

// newQueue starts to export as the variables ask.
func newQueue(exporter sdk.SpanExporter, m meter.Meter, c *complaints) (*queue, error) {
	bound, err := sizeFrom(queueSize, defaultQueue)
	if err != nil {
		return nil, err
	}
	batch, err := sizeFrom(batchSize, min(defaultBatch, bound))
	if err != nil {
		return nil, err
	}
	if _, err := sizeFrom(scheduleDelay, 1); err != nil { // which the SDK reads itself, and would take 0 too
		return nil, err
	}
	q := &queue{bound: int64(bound), spans: spansOf(m), complaints: c}
	q.SpanProcessor = sdk.NewBatchSpanProcessor(&counted{exporter, q}, sdk.WithMaxQueueSize(bound), sdk.WithMaxExportBatchSize(batch))
	return q, nil
}

// spansOf counts spans by outcome.
func spansOf(m meter.Meter) meter.Tally {
	return m.Tally("parley.telemetry.spans", "{span}",
		"Spans that were to be exported, by outcome: exported, failed (not accepted), or dropped (the queue was full).",
		meter.By("result", spanExported, spanFailed, spanDropped))
}

// sizeFrom reads a variable that takes a number; otherwise is its default.
func sizeFrom(variable string, otherwise int) (int, error) {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > largestQueue {
		return 0, fmt.Errorf("%s: it takes a number from 1 to %d%s", variable, largestQueue, quote.Not(text))
	}
	return n, nil
}

// OnEnd implements the SDK's SpanProcessor.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		if s.Status().Code != codes.Error {
			return
		}
		s = failure{s}
	}
	if q.waiting.Add(1) > q.bound {
		q.waiting.Add(-1)
		q.spans.Add(1, spanDropped)
		q.complaints.Handle(errQueueFull)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// counted is an exporter that reports to the queue what it took.
type counted struct {
	sdk.SpanExporter
	queue *queue
}

// ExportSpans implements the SDK's SpanExporter.
func (c *counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	c.queue.waiting.Add(-int64(len(spans)))
	if err != nil {
		c.queue.spans.Add(len(spans), spanFailed)
		return err
	}
	c.queue.spans.Add(len(spans), spanExported)
	return nil
}
