package eventlog

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A request that carries records of sampled traces has a span that is linked to
// them; another has none, unless it fails.
func TestRequestsAreLinkedToTheirRecords(t *testing.T) {
	ended := tracetest.NewSpanRecorder()
	cluster := startCluster(t)
	c := cluster.client(t)
	c.cfg.Tracers = sdk.NewTracerProvider(sdk.WithSpanProcessor(ended))
	topic := newTopic(t, c, 1, nil)
	// The first requests to a new topic may fail, until its partition has a leader.
	produceOne(t, newProducer(t, cluster.client(t), ProducerConfig{Topic: topic}), 0, Record{Value: []byte("first")})
	p := newProducer(t, c, ProducerConfig{Topic: topic})
	produceOne(t, p, 0, Record{Value: []byte("untraced")})
	if spans := ended.Ended(); len(spans) != 0 {
		t.Fatalf("%d spans of an untraced record", len(spans))
	}
	of := func(id byte, flags trace.TraceFlags) Record {
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{id}, SpanID: trace.SpanID{id}, TraceFlags: flags})
		rec := Record{Value: []byte("traced")}
		InjectTrace(trace.ContextWithSpanContext(context.Background(), sc), &rec)
		return rec
	}
	produceOne(t, p, 0, of(1, 0))
	produceOne(t, p, 0, of(2, trace.FlagsSampled))
	spans := ended.Ended()
	if len(spans) != 1 || spans[0].Name() != "produce "+topic || len(spans[0].Links()) != 1 || spans[0].Parent().IsValid() {
		t.Fatalf("spans %v", spans)
	}
	if to := spans[0].Links()[0].SpanContext; to.TraceID() != (trace.TraceID{2}) || to.IsRemote() {
		t.Errorf("the span is linked to %v", to)
	}
	flights := []flight{{b: &batch{}}}
	p.spans.request(flights)(context.DeadlineExceeded)
	if spans := ended.Ended(); len(spans) != 2 || spans[1].Status().Code != codes.Error {
		t.Errorf("spans %v", spans)
	}
	p.spans.request(flights)(fmt.Errorf("write: %w", kafka.NotLeaderForPartition))
	for i, want := range []string{"timeout", "Not Leader For Partition"} {
		if got := ended.Ended()[i+1].Attributes(); !slices.Contains(got, semconv.ErrorTypeKey.String(want)) {
			t.Errorf("a failure is recorded as %v, want %s", got, want)
		}
	}
}
