package tracing

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Query begins the span of a statement on one table of ClickHouse, within ctx.
func (t *Tracer) Query(ctx context.Context, operation, database, table string) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.child(ctx, operation+" "+table, client, query(operation, database, table))
	return span
}

// Insert begins the span of storing a batch of rows, a trace of its own that
// is linked to the spans of the records it came from. It is sampled when one of
// these is.
func (t *Tracer) Insert(database, table string, rows int, from []Span) Span {
	if t == nil {
		return Span{}
	}
	var links []trace.Link
	for _, s := range from {
		links = append(links, trace.Link{SpanContext: s.Context()})
	}
	_, span := t.tracer.Start(context.Background(), "INSERT "+table, client, query("INSERT", database, table),
		trace.WithAttributes(attribute.Int("parley.rows", rows)), trace.WithLinks(links...))
	insert := Span{span: span}
	for _, s := range from {
		s.Link(insert.Context())
	}
	return insert
}

func query(operation, database, table string) trace.SpanStartEventOption {
	return trace.WithAttributes(semconv.DBSystemNameClickHouse, semconv.DBNamespace(database),
		semconv.DBOperationName(operation), semconv.DBCollectionName(table))
}

// History begins the span of reading a channel's history, within ctx, and
// returns the context of its parts.
func (t *Tracer) History(ctx context.Context) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	return t.child(ctx, "read history")
}

// Messages ends the span of a read that found that many messages.
func (s Span) Messages(n int, err error) {
	if s.Sampled() {
		s.span.SetAttributes(attribute.Int("parley.messages", n))
	}
	s.End(err)
}

// Within returns ctx within the span that of is in.
func Within(ctx, of context.Context) context.Context {
	if span := trace.SpanFromContext(of); span.SpanContext().IsValid() {
		return trace.ContextWithSpan(ctx, span)
	}
	return ctx
}

// Share links the work of ctx to the work within by that it waits for.
func Share(ctx, by context.Context) {
	Span{span: trace.SpanFromContext(ctx)}.Link(trace.SpanContextFromContext(by))
}
