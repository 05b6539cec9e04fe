package eventlog

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// traceparent is the header that marks a record as part of a trace.
const traceparent = "traceparent"

// InjectTrace writes the trace that ctx belongs to into the headers of rec, as
// W3C Trace Context. Without a trace it does nothing and costs nothing. The
// headers are appended to, so the slice must not be shared with other records.
func InjectTrace(ctx context.Context, rec *Record) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	propagation.TraceContext{}.Inject(ctx, headerCarrier{rec})
}

// ExtractTrace returns ctx as part of the trace that the headers of rec name,
// or ctx itself when they name none.
func ExtractTrace(ctx context.Context, rec Record) context.Context {
	if indexHeader(rec.Headers, traceparent) < 0 {
		return ctx
	}
	carried := Record{Headers: rec.Headers}
	return propagation.TraceContext{}.Extract(ctx, headerCarrier{&carried})
}

// indexHeader finds the first header of a name, or returns -1.
func indexHeader(headers []Header, key string) int {
	return slices.IndexFunc(headers, func(h Header) bool { return h.Key == key })
}

// headerCarrier lets a propagator read and write a record's headers.
type headerCarrier struct{ rec *Record }

func (c headerCarrier) Get(key string) string {
	if i := indexHeader(c.rec.Headers, key); i >= 0 {
		return string(c.rec.Headers[i].Value)
	}
	return ""
}

func (c headerCarrier) Set(key, value string) {
	if i := indexHeader(c.rec.Headers, key); i >= 0 {
		c.rec.Headers[i].Value = []byte(value)
		return
	}
	c.rec.Headers = append(c.rec.Headers, Header{Key: key, Value: []byte(value)})
}

func (c headerCarrier) Keys() []string {
	keys := make([]string, len(c.rec.Headers))
	for i := range c.rec.Headers {
		keys[i] = c.rec.Headers[i].Key
	}
	return keys
}

// TraceHeaders are those of rec that name its trace, for a record that follows
// from it; nil without any.
func TraceHeaders(rec *Record) []Header {
	if i := indexHeader(rec.Headers, traceparent); i >= 0 {
		return rec.Headers[i : i+1 : i+1]
	}
	return nil
}
