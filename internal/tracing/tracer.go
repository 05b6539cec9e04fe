package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// scope is what the names of instrumentation scopes begin with.
const scope = "github.com/parley-chat/parley/"

// Tracer starts the spans of one component. A nil Tracer starts none, and
// costs nothing. It is safe for concurrent use.
type Tracer struct {
	tracer trace.Tracer
}

// New returns the tracer of a component, named by its package's path within
// the module; nil when provider is.
func New(provider trace.TracerProvider, component string) *Tracer {
	if provider == nil {
		return nil
	}
	return &Tracer{provider.Tracer(scope+component, trace.WithSchemaURL(semconv.SchemaURL))}
}

// Span is one piece of work. The zero Span is not a span; its methods do
// nothing. Ending a span twice is harmless.
type Span struct {
	span trace.Span // nil: none (yet)
	late *late      // where one is made once the work fails
}

// late is what it takes to make a span of work that has failed.
type late struct {
	tracer  *Tracer
	parent  context.Context
	name    string
	options []trace.SpanStartOption
}

// Sampled reports whether the span is part of a trace that is kept.
func (s Span) Sampled() bool { return s.span != nil && s.span.SpanContext().IsSampled() }

// TraceID is the id of the span's trace, in hex; "" when it is not sampled.
func (s Span) TraceID() string {
	if !s.Sampled() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Context names the span to others, for links; invalid for no span.
func (s Span) Context() trace.SpanContext {
	if s.span == nil {
		return trace.SpanContext{}
	}
	return s.span.SpanContext()
}

// In returns ctx within the span.
func (s Span) In(ctx context.Context) context.Context {
	if s.span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.span)
}

// Set adds attributes to the span, when it is sampled. Ask Sampled first where
// it matters that making the attributes costs something.
func (s Span) Set(attributes ...attribute.KeyValue) {
	if s.Sampled() {
		s.span.SetAttributes(attributes...)
	}
}

// Link records that the work of another trace is related to this, when both
// are sampled. A link to the span's own trace is left out.
func (s Span) Link(to trace.SpanContext) {
	if s.Sampled() && to.IsSampled() && to.TraceID() != s.span.SpanContext().TraceID() {
		s.span.AddLink(trace.Link{SpanContext: to})
	}
}

// End ends the span: in an error unless err is nil or means that the work was
// cancelled.
func (s Span) End(err error) {
	failed := err != nil && !errors.Is(err, context.Canceled)
	if s.span == nil {
		if s.late == nil || !failed {
			return
		}
		_, s.span = s.late.tracer.tracer.Start(s.late.parent, s.late.name, s.late.options...)
	}
	if failed {
		s.span.SetStatus(codes.Error, "")
		s.span.SetAttributes(failure(err)...)
	}
	s.span.End()
}

// child begins a span within ctx: at once when the trace is sampled, else when
// it fails.
func (t *Tracer) child(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, Span) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, Span{late: &late{t, ctx, name, append(options, now())}}
	}
	ctx, span := t.tracer.Start(ctx, name, options...)
	return ctx, Span{span: span}
}
