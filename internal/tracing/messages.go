package tracing

import (
	"context"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Topic is one topic as a component writes or reads it: what its spans have in
// common. Safe for concurrent use.
type Topic struct {
	tracer                       *Tracer
	send, process, poll          string
	sending, processing, polling trace.SpanStartEventOption
}

// Topic returns the topic of that name; group is the consumer group that reads
// it, "" for none. It is nil when t is.
func (t *Tracer) Topic(name, group string) *Topic {
	if t == nil {
		return nil
	}
	does := func(operation string, kind attribute.KeyValue) trace.SpanStartEventOption {
		attributes := []attribute.KeyValue{
			semconv.MessagingSystemKafka, semconv.MessagingDestinationName(name), semconv.MessagingOperationName(operation), kind,
		}
		if group != "" && operation != "send" {
			attributes = append(attributes, semconv.MessagingConsumerGroupName(group))
		}
		return trace.WithAttributes(attributes...)
	}
	return &Topic{
		tracer: t,
		send:   "send " + name, sending: does("send", semconv.MessagingOperationTypeSend),
		process: "process " + name, processing: does("process", semconv.MessagingOperationTypeProcess),
		poll: "poll " + name, polling: does("poll", semconv.MessagingOperationTypeReceive),
	}
}

var (
	producer = trace.WithSpanKind(trace.SpanKindProducer)
	consumer = trace.WithSpanKind(trace.SpanKindConsumer)
	client   = trace.WithSpanKind(trace.SpanKindClient)
)

// Send begins the span of a record of so many bytes on its way into a
// partition, within another span; without one it begins a trace. Its Headers
// go along with the record. It ends with Acknowledged.
func (t *Topic) Send(within Span, partition, size int) Span {
	if t == nil {
		return Span{}
	}
	ctx := within.In(context.Background())
	var span Span
	if within.span == nil {
		var root trace.Span
		_, root = t.tracer.tracer.Start(ctx, t.send, producer, t.sending)
		span = Span{span: root}
	} else {
		_, span = t.tracer.child(ctx, t.send, producer, t.sending)
	}
	if span.Sampled() {
		span.span.SetAttributes(partitionID(partition), semconv.MessagingMessageBodySize(size))
	}
	return span
}

// Headers are those of a record that continues the span's trace; nil when it
// is not sampled.
func (s Span) Headers() []eventlog.Header {
	if !s.Sampled() {
		return nil
	}
	var rec eventlog.Record
	eventlog.InjectTrace(s.In(context.Background()), &rec)
	return rec.Headers
}

// Acknowledged ends the span of a record that was sent.
func (s Span) Acknowledged(offset int64, err error) {
	if err == nil && s.Sampled() {
		s.span.SetAttributes(offsetOf(offset))
	}
	s.End(err)
}

// Process is the work on a record that was read.
type Process struct {
	Span
	topic     *Topic
	rec       *eventlog.Record
	partition int
}

// Process begins the work on a record of a partition. There is a span only if
// the record is part of a sampled trace, or when the work fails.
func (t *Topic) Process(partition int, rec *eventlog.Record) Process {
	p := Process{topic: t, rec: rec, partition: partition}
	if t != nil && len(rec.Headers) > 0 {
		ctx := eventlog.ExtractTrace(context.Background(), *rec)
		if trace.SpanContextFromContext(ctx).IsSampled() {
			p.begin(ctx)
		}
	}
	return p
}

func (p *Process) begin(ctx context.Context) {
	_, p.span = p.topic.tracer.tracer.Start(ctx, p.topic.process, consumer, p.topic.processing, trace.WithAttributes(
		partitionID(p.partition), offsetOf(p.rec.Offset), semconv.MessagingMessageBodySize(len(p.rec.Value))))
}

// End ends the work as [Span.End] does; where it failed there is a span now.
func (p *Process) End(err error) {
	if p.span == nil && p.topic != nil && err != nil {
		p.begin(context.Background())
	}
	p.Span.End(err)
}

// Send begins the span of a record that follows from this one, and returns its
// headers. Where nothing is traced here, they are those of this one.
func (p *Process) Send(to *Topic, partition, size int) (Span, []eventlog.Header) {
	switch {
	case to == nil:
		return Span{}, eventlog.TraceHeaders(p.rec)
	case p.span == nil:
		return Span{}, nil
	}
	span := to.Send(p.Span, partition, size)
	return span, span.Headers()
}

// Poll begins the span of reading a partition from an offset on, within ctx.
func (t *Topic) Poll(ctx context.Context, partition int, from int64) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.tracer.child(ctx, t.poll, client, t.polling)
	if span.Sampled() {
		span.Set(partitionID(partition), offsetOf(from))
	}
	return span
}

// Polled ends the span of reading that many records.
func (s Span) Polled(records int, err error) {
	if s.Sampled() {
		s.span.SetAttributes(semconv.MessagingBatchMessageCount(records))
	}
	s.End(err)
}

func offsetOf(offset int64) attribute.KeyValue { return semconv.MessagingKafkaOffset(int(offset)) }

func partitionID(partition int) attribute.KeyValue {
	return semconv.MessagingDestinationPartitionID(strconv.Itoa(partition))
}
