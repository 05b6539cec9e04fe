package eventlog

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// spans are those of a producer's requests; nil: none. Each is a
// trace of its own, because a request carries records of many. A record of a
// sampled trace is linked to, and makes the request sampled; other requests
// have a span only when they fail.
type spans struct {
	tracer trace.Tracer
	name   string
	start  []trace.SpanStartOption
}

func newSpans(p trace.TracerProvider, topic string) *spans {
	if p == nil {
		return nil
	}
	return &spans{
		tracer: p.Tracer("github.com/parley-chat/parley/internal/eventlog", trace.WithSchemaURL(semconv.SchemaURL)),
		name:   "produce " + topic,
		start: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			semconv.MessagingSystemKafka, semconv.MessagingDestinationName(topic),
			semconv.MessagingOperationName("produce"), semconv.MessagingOperationTypeSend)},
	}
}

// note remembers the trace of a record that goes into b.
func (s *spans) note(b *batch, rec *Record) {
	if s == nil || len(rec.Headers) == 0 {
		return
	}
	if sc := trace.SpanContextFromContext(ExtractTrace(context.Background(), *rec)); sc.IsSampled() {
		// The producer's caller made the span: it is of this process.
		b.links = append(b.links, trace.Link{SpanContext: sc.WithRemote(false)})
	}
}

// request is called when a request is sent, and what it returns when it is
// answered.
func (s *spans) request(flights []flight) (answered func(error)) {
	if s == nil {
		return func(error) {}
	}
	began, records := time.Now(), 0
	var links []trace.Link
	for i := range flights {
		links = append(links, flights[i].b.links...)
		records += flights[i].b.count
	}
	return func(err error) {
		if len(links) == 0 && err == nil {
			return
		}
		_, span := s.tracer.Start(context.Background(), s.name, append(s.start[:len(s.start):len(s.start)],
			trace.WithTimestamp(began), trace.WithLinks(links...), trace.WithAttributes(semconv.MessagingBatchMessageCount(records)))...)
		if err != nil {
			span.SetStatus(codes.Error, "")
			span.SetAttributes(failureOf(err))
		}
		span.End()
	}
}

// failureOf returns the kind of error: the broker's name for it, or that of the
// metrics.
func failureOf(err error) attribute.KeyValue {
	kind := errorType(err)
	var code kafka.Error
	if kind == "broker" && errors.As(err, &code) {
		kind = code.Title()
	}
	return semconv.ErrorTypeKey.String(kind)
}
