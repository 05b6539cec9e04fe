// Package telemetrytest receives what a process exports over OTLP, for tests.
package telemetrytest

import (
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it was exported.
type Span struct {
	*traces.Span
	Resource   map[string]string // attributes of the process
	Attributes map[string]string
	Scope      string
}

// Trace is the id of the span's trace, in hex.
func (s Span) Trace() string { return hex.EncodeToString(s.TraceId) }

// ID is the id of the span, in hex.
func (s Span) ID() string { return hex.EncodeToString(s.SpanId) }

// Parent is the id of the span's parent, in hex; "" for a root.
func (s Span) Parent() string { return hex.EncodeToString(s.ParentSpanId) }

// Failed reports whether the span ended in an error.
func (s Span) Failed() bool { return s.GetStatus().GetCode() == traces.Status_STATUS_CODE_ERROR }

// Service is the name of the service that exported the span.
func (s Span) Service() string { return s.Resource["service.name"] }

// Receiver collects spans that are exported to it. It is safe for concurrent
// use.
type Receiver struct {
	collector.UnimplementedTraceServiceServer

	mu    sync.Mutex
	spans []Span
	raw   []byte // every request as it came
}

// HTTP starts a receiver of OTLP over HTTP and returns its URL.
func HTTP(t testing.TB) (*Receiver, string) {
	t.Helper()
	r, l := new(Receiver), listen(t)
	server := &http.Server{Handler: r}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return r, "http://" + l.Addr().String()
}

// GRPC starts a receiver of OTLP over gRPC and returns its URL.
func GRPC(t testing.TB) (*Receiver, string) {
	t.Helper()
	r, l := new(Receiver), listen(t)
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return r, "http://" + l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path != "/v1/traces" {
		http.NotFound(w, req)
		return
	}
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.take(&request)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Export implements the gRPC service.
func (r *Receiver) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.take(request)
	return &collector.ExportTraceServiceResponse{}, nil
}

func (r *Receiver) take(request *collector.ExportTraceServiceRequest) {
	raw, _ := proto.Marshal(request) // what was decoded encodes
	r.mu.Lock()
	defer r.mu.Unlock()
	r.raw = append(r.raw, raw...)
	for _, from := range request.ResourceSpans {
		resource := attributes(from.GetResource().GetAttributes())
		for _, scope := range from.ScopeSpans {
			for _, span := range scope.Spans {
				r.spans = append(r.spans, Span{span, resource, attributes(span.Attributes), scope.GetScope().GetName()})
			}
		}
	}
}

func attributes(pairs []*common.KeyValue) map[string]string {
	found := map[string]string{}
	for _, pair := range pairs {
		found[pair.Key] = valueOf(pair.Value)
	}
	return found
}

func valueOf(v *common.AnyValue) string {
	if text, ok := v.GetValue().(*common.AnyValue_StringValue); ok {
		return text.StringValue
	}
	return v.String()
}

// Spans are all that came so far.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Named are the spans of that name.
func (r *Receiver) Named(name string) []Span {
	var found []Span
	for _, s := range r.Spans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// Raw is every byte that came so far, decompressed.
func (r *Receiver) Raw() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]byte(nil), r.raw...)
}
