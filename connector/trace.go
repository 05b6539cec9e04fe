package connector

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// tracers start the spans of a connector; the zero value starts none.
type tracers struct {
	requests *tracing.Tracer
	events   *tracing.Topic
	pushes   *tracing.Topic
}

func newTracers(cfg *Config) tracers {
	t := tracing.New(cfg.Tracers, "connector")
	return tracers{t, t.Topic(schema.TopicEvents, ""), t.Topic(schema.TopicPush, "")}
}

// openSpans are a session's sampled requests that are not answered yet. When
// the session ends they end too: the spans within them have been exported, or
// will be.
type openSpans struct {
	mu    sync.Mutex
	calls map[*call]struct{}
}

// begin gives a request its span, if requests of that method have one.
func (c *call) begin() {
	s := c.session
	if method, _ := requestOf(c.method); s.inc.tracers.requests == nil || !method.traced {
		return
	}
	c.span = s.inc.tracers.requests.Request(c.method)
	if !c.span.Sampled() {
		return
	}
	s.spans.mu.Lock()
	defer s.spans.mu.Unlock()
	if s.spans.calls == nil {
		s.spans.calls = map[*call]struct{}{}
	}
	s.spans.calls[c] = struct{}{}
}

// endSpan ends the request's span with what was answered; nil for a result.
func (c *call) endSpan(refused *rpc.Error) {
	if c.span.Sampled() {
		spans := &c.session.spans
		spans.mu.Lock()
		delete(spans.calls, c)
		spans.mu.Unlock()
	}
	if refused == nil {
		c.span.End(nil)
		return
	}
	switch refused.Code {
	case rpc.CodeUnavailable, rpc.CodeHistoryUnavailable, rpc.CodeInternal:
		c.span.Refused(refused.Code, true)
	default:
		c.span.Refused(refused.Code, false)
	}
}

// end ends the spans of requests that nobody waits for any more.
func (o *openSpans) end() {
	o.mu.Lock()
	open := o.calls
	o.calls = nil
	o.mu.Unlock()
	for c := range open {
		c.span.Set(attribute.Bool("parley.unanswered", true))
		c.span.End(nil)
	}
}

// within returns ctx within the request's span.
func (c *call) within(ctx context.Context) context.Context { return c.span.In(ctx) }

// fanOut is the span of a push until its batch is with the members.
type fanOut struct {
	process tracing.Process
	members int
}

// begin notes the work on a push of a sampled trace, which ends with the batch.
func (s *stream) begin(r *eventlog.Record, p *schema.Push) tracing.Process {
	process := s.inc.tracers.pushes.Process(s.inc.pushPartition, r)
	if process.Sampled() {
		s.fanOuts = append(s.fanOuts, fanOut{process: process, members: s.membersOf(p)})
	}
	return process
}

// membersOf counts the local members of the channel that a push is about.
func (s *stream) membersOf(p *schema.Push) int {
	if len(p.Updates) == 0 {
		return 0
	}
	ch := s.inc.channels.get(p.Updates[0].Channel)
	if ch == nil {
		return 0
	}
	ch.Lock()
	defer ch.Unlock()
	return ch.Members()
}

// endFanOuts ends the spans of the batch's pushes.
func (s *stream) endFanOuts() {
	for i := range s.fanOuts {
		s.fanOuts[i].process.Set(attribute.Int("parley.members", s.fanOuts[i].members))
		s.fanOuts[i].process.End(nil)
		s.fanOuts[i] = fanOut{}
	}
	s.fanOuts = s.fanOuts[:0]
}
