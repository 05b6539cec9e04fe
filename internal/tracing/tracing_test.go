package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
)

// message is what the connector, the worker and the projector do for one
// message.
func message(tracer *tracing.Tracer, events, pushes *tracing.Topic, rec *eventlog.Record) {
	request := tracer.Request("chat")
	send := events.Send(request, 3, 100)
	_ = send.Headers()
	send.Acknowledged(7, nil)
	request.End(nil)
	work := events.Process(3, rec)
	push, _ := work.Send(pushes, 1, 100)
	push.Acknowledged(8, nil)
	work.End(nil)
	tracing.Share(context.Background(), tracing.Within(context.Background(), context.Background()))
}

// Off costs no allocation, and so does the record of an unsampled trace, on
// which a worker or a connector's fan-out works.
func TestOffCostsNothing(t *testing.T) {
	rec := &eventlog.Record{Value: []byte("value")}
	if n := testing.AllocsPerRun(100, func() { message(nil, nil, nil, rec) }); n != 0 {
		t.Errorf("off costs %v allocations", n)
	}
	on := tracing.New(sdk.NewTracerProvider(), "test")
	pushes := on.Topic("parley.push", "")
	n := testing.AllocsPerRun(100, func() {
		work := pushes.Process(3, rec)
		push, _ := work.Send(pushes, 1, 100)
		push.Acknowledged(8, nil)
		work.End(nil)
	})
	if n != 0 {
		t.Errorf("an unsampled push costs %v allocations", n)
	}
	if tracing.New(nil, "test") != nil {
		t.Error("no provider makes a tracer")
	}
}

// A failure is described by its kind, in few words and without its text.
func TestFailuresAreToldByTheirKind(t *testing.T) {
	ended := tracetest.NewSpanRecorder()
	tracer := tracing.New(sdk.NewTracerProvider(sdk.WithSpanProcessor(ended)), "test")
	_, refused := net.DialTimeout("tcp", "127.0.0.1:1", time.Second)
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("insert: %w", &clickhouse.Exception{Code: 241, Message: "hunter2"}), "241"},
		{fmt.Errorf("%w: %w", errors.New("unavailable"), context.DeadlineExceeded), "timeout"},
		{errors.Join(errors.New("send"), refused), "connection"},
		{fmt.Errorf("send: %w", kafka.NotEnoughReplicas), "Not Enough Replicas"},
		{fmt.Errorf("read: %w", &strconv.NumError{Err: strconv.ErrRange}), "_OTHER"},
		{&eventlog.OffsetError{}, "*eventlog.OffsetError"},
		{fmt.Errorf("%w: %w", errors.New("one"), errors.New("two")), "_OTHER"},
	} {
		tracer.Request("chat").End(c.err)
		spans := ended.Ended()
		attributes := spans[len(spans)-1].Attributes()
		if !slices.Contains(attributes, semconv.ErrorTypeKey.String(c.want)) {
			t.Errorf("%v is recorded as %v, want %s", c.err, attributes, c.want)
		}
		if answered := slices.Contains(attributes, semconv.DBResponseStatusCode(c.want)); answered != (c.want == "241") {
			t.Errorf("%v is recorded as %v", c.err, attributes)
		}
	}
}

func TestOffIgnoresErrors(t *testing.T) {
	message(nil, nil, nil, &eventlog.Record{})
	var none tracing.Span
	none.End(errors.New("failed"))
	none.Refused(1007, true)
	if none.Sampled() || none.TraceID() != "" || none.Headers() != nil || none.Context().IsValid() {
		t.Error("no span is something")
	}
}

// A record that is part of a sampled trace continues it where nothing is
// traced in between.
func TestTracePassesThroughWhoTracesNothing(t *testing.T) {
	on := tracing.New(sdk.NewTracerProvider(), "test")
	events := on.Topic("parley.events", "")
	first := events.Send(tracing.Span{}, 0, 1)
	rec := &eventlog.Record{Headers: append([]eventlog.Header{{Key: "other"}}, first.Headers()...)}
	var off *tracing.Topic
	work := off.Process(0, rec)
	_, headers := work.Send(off, 0, 1)
	next := events.Process(0, &eventlog.Record{Headers: headers})
	if len(headers) != 1 || next.TraceID() != first.TraceID() {
		t.Errorf("headers %q, trace %s of %s", headers, next.TraceID(), first.TraceID())
	}
}

func BenchmarkMessage(b *testing.B) {
	rec := &eventlog.Record{Value: []byte("value")}
	for name, provider := range map[string]*sdk.TracerProvider{
		"off":      nil,
		"1percent": sdk.NewTracerProvider(sdk.WithSampler(sdk.TraceIDRatioBased(0.01))),
		"all":      sdk.NewTracerProvider(),
	} {
		b.Run(name, func(b *testing.B) {
			var tracer *tracing.Tracer
			if provider != nil {
				tracer = tracing.New(provider, "bench")
			}
			events, pushes := tracer.Topic("parley.events", ""), tracer.Topic("parley.push", "")
			b.ReportAllocs()
			for b.Loop() {
				message(tracer, events, pushes, rec)
			}
		})
	}
}
