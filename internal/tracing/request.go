package tracing

import (
	"context"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

var requestOptions = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}

// Request begins the span of a client's request, and with it a trace.
func (t *Tracer) Request(method string) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.tracer.Start(context.Background(), method, requestOptions...)
	s := Span{span: span}
	if s.Sampled() {
		span.SetAttributes(semconv.RPCSystemNameJSONRPC, semconv.RPCMethod(method))
	}
	return s
}

// LinkClient links to the trace that the client names, a W3C
// traceparent. It decides nothing here: a client cannot have itself sampled. An
// invalid traceparent is ignored, as the standard demands.
func (s Span) LinkClient(traceparent string) {
	if !s.Sampled() || traceparent == "" {
		return
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	if theirs := trace.SpanContextFromContext(ctx); theirs.IsValid() {
		s.span.AddLink(trace.Link{SpanContext: theirs})
	}
}

// Refused ends the span of a request that was answered with an error of that
// code. Only what is the server's fault is a failure.
func (s Span) Refused(code int, fault bool) {
	if s.span == nil {
		return
	}
	if fault || s.Sampled() {
		s.span.SetAttributes(semconv.RPCResponseStatusCode(strconv.Itoa(code)))
	}
	if !fault {
		s.End(nil)
		return
	}
	s.End(refused(code))
}

// refused is a code as an error.
type refused int

func (r refused) Error() string { return "error " + strconv.Itoa(int(r)) }

// ErrorType is what the semantic conventions ask for.
func (r refused) ErrorType() string { return strconv.Itoa(int(r)) }

// now makes a span that is made later begin now.
func now() trace.SpanStartEventOption { return trace.WithTimestamp(time.Now()) }
