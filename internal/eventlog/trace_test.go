package eventlog

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

func TestTraceTravelsWithARecord(t *testing.T) {
	c := startCluster(t).client(t)
	topic := newTopic(t, c, 1, nil)
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled,
	})
	rec := Record{Headers: []Header{{Key: "other", Value: []byte("kept")}}}
	for range 2 { // the second one replaces the first
		InjectTrace(trace.ContextWithSpanContext(context.Background(), span), &rec)
	}
	if len(rec.Headers) != 2 {
		t.Errorf("headers %q", rec.Headers)
	}
	produceOne(t, p, 0, rec)
	got := readAll(t, newReader(t, c, ReaderConfig{Topic: topic}), 1)[0]
	extracted := trace.SpanContextFromContext(ExtractTrace(context.Background(), got))
	if !extracted.Equal(span.WithRemote(true)) {
		t.Errorf("extracted %+v, want %+v", extracted, span)
	}
}

func TestNoTraceCostsNothing(t *testing.T) {
	ctx := context.Background()
	rec := Record{Value: []byte("v"), Headers: []Header{{Key: "other"}}}
	if ExtractTrace(ctx, rec) != ctx {
		t.Error("a record without a trace changed the context")
	}
	allocs := testing.AllocsPerRun(100, func() {
		InjectTrace(ctx, &rec)
		ExtractTrace(ctx, rec)
	})
	if allocs != 0 || len(rec.Headers) != 1 {
		t.Errorf("%v allocations, headers %q", allocs, rec.Headers)
	}
}
