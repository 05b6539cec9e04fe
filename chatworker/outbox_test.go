package chatworker

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

var somePush = fold.Out{PushPartition: int32(pushPartition("a")), Push: &schema.Push{Connector: "a", Offset: 1}}

func untraced(w *Worker) *tracing.Process {
	work := w.eventSpans.Process(0, new(eventlog.Record))
	return &work
}

// At the bound a partition waits until other pushes are acknowledged.
func TestOutboxWaitsAtItsBound(t *testing.T) {
	r := newRig(t)
	w := r.openWorker(func(*Worker) {})
	const budget = 1000
	w.budget = semaphore.NewWeighted(budget)
	if !w.budget.TryAcquire(budget) {
		t.Fatal("the budget is not free")
	}
	o := newOutbox(w)
	short, cancel := context.WithTimeout(r.ctx(), 20*time.Millisecond)
	defer cancel()
	if err := o.send(short, somePush, untraced(w)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a push beyond the bound: %v, want it to wait", err)
	}

	sent := make(chan error, 1)
	go func() { sent <- o.send(r.ctx(), somePush, untraced(w)) }()
	w.budget.Release(budget)
	if err := <-sent; err != nil {
		t.Errorf("a push with room: %v", err)
	}
	select {
	case <-o.seal():
	case <-r.ctx().Done():
		t.Error("the push was not acknowledged")
	}
	await.That(t, "the room is given back", func() bool { return w.budget.TryAcquire(budget) })
}

// With room, an event whose partition is being taken away is sent whole.
func TestOutboxSendsWhileItLeaves(t *testing.T) {
	r := newRig(t)
	w := r.openWorker(func(*Worker) {})
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		if err := newOutbox(w).send(ended, somePush, untraced(w)); err != nil {
			t.Fatalf("a push with room: %v", err)
		}
	}
}

// A seal passes only when everything before it is acknowledged.
func TestBarrier(t *testing.T) {
	b := newBarrier()
	b.add()
	b.acknowledge()
	select {
	case <-b.passed:
		t.Error("passed before the seal")
	default:
	}
	b.add()
	b.acknowledge() // the seal
	select {
	case <-b.passed:
		t.Error("passed with a push under way")
	default:
	}
	b.acknowledge()
	<-b.passed
}

// What is traced, here or elsewhere, changes the headers of a push and never
// its bytes: receivers compare these after a takeover.
func TestTracingDoesNotChangePushes(t *testing.T) {
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	var traced eventlog.Record
	eventlog.InjectTrace(trace.ContextWithSpanContext(context.Background(), sc), &traced)
	r := newRig(t)
	for _, provider := range []trace.TracerProvider{nil, sdk.NewTracerProvider(), sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample()))} {
		w := r.openWorker(func(w *Worker) {
			tracer := tracing.New(provider, "test")
			w.eventSpans, w.pushSpans = tracer.Topic(schema.TopicEvents, ""), tracer.Topic(schema.TopicPush, "")
		})
		for _, event := range []*eventlog.Record{{}, &traced} {
			o, work := newOutbox(w), w.eventSpans.Process(0, event)
			if err := o.send(r.ctx(), somePush, &work); err != nil {
				t.Fatal(err)
			}
			<-o.seal()
		}
	}
	records := r.read(schema.TopicPush, int(somePush.PushPartition))
	headers := map[string]bool{}
	for _, rec := range records {
		if !bytes.Equal(rec.Value, records[0].Value) {
			t.Errorf("push %x, want %x", rec.Value, records[0].Value)
		}
		for _, h := range rec.Headers {
			headers[string(h.Value)] = true
		}
	}
	if len(records) != 6 || len(headers) < 2 {
		t.Errorf("%d pushes with headers %v", len(records), headers)
	}
}

// A push continues the trace of its event where the worker traces nothing, too.
func TestTraceTravels(t *testing.T) {
	r := newRig(t)
	w := r.openWorker(func(*Worker) {})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	var event eventlog.Record
	eventlog.InjectTrace(trace.ContextWithSpanContext(context.Background(), span), &event)
	o := newOutbox(w)
	work := w.eventSpans.Process(0, &event)
	if err := o.send(r.ctx(), somePush, &work); err != nil {
		t.Fatal(err)
	}
	<-o.seal()
	records := r.read(schema.TopicPush, int(somePush.PushPartition))
	got := trace.SpanContextFromContext(eventlog.ExtractTrace(context.Background(), records[0]))
	if got.TraceID() != span.TraceID() {
		t.Errorf("the push is of trace %s, want %s", got.TraceID(), span.TraceID())
	}
}
