package eventlog

import (
	"context"

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
	carrier := headerCarrier{&rec}
	if carrier.Get(traceparent) == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// headerCarrier lets a propagator read and write a record's headers.
type headerCarrier struct{ rec *Record }

func (c headerCarrier) Get(key string) string {
	for i := range c.rec.Headers {
		if c.rec.Headers[i].Key == key {
			return string(c.rec.Headers[i].Value)
		}
	}
	return ""
}

func (c headerCarrier) Set(key, value string) {
	for i := range c.rec.Headers {
		if c.rec.Headers[i].Key == key {
			c.rec.Headers[i].Value = []byte(value)
			return
		}
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
