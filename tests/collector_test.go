package tests

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/telemetrytest"
)

// The collector that is shipped keeps what failed, what was slow, and a small
// part of the rest. Jaeger is made of the same parts and plays it.
func TestCollectorKeepsWhatMatters(t *testing.T) {
	needJaeger(t)
	got, url := telemetrytest.GRPC(t)
	in := freeport.AddressFor(t)
	t.Setenv("COLLECTOR_HTTP", in)
	t.Setenv("COLLECTOR_GRPC", freeport.AddressFor(t))
	t.Setenv("COLLECTOR_TO", strings.TrimPrefix(url, "http://"))
	t.Setenv("COLLECTOR_DECISION_WAIT", "1s")
	startProgram(t, jaegerProgram, "--config", "../deploy/otel-collector.yaml")

	const usual = 1000
	send := func(name string, took time.Duration, status traces.Status_StatusCode, n int) bool {
		var spans []*traces.Span
		for range n {
			id := make([]byte, 16)
			_, _ = rand.Read(id)
			spans = append(spans, &traces.Span{
				Name: name, TraceId: id, SpanId: id[:8], Status: &traces.Status{Code: status},
				StartTimeUnixNano: uint64(time.Now().UnixNano()), EndTimeUnixNano: uint64(time.Now().Add(took).UnixNano()),
			})
		}
		body, err := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*traces.ResourceSpans{{
			ScopeSpans: []*traces.ScopeSpans{{Spans: spans}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Post("http://"+in+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	await.That(t, "the collector takes spans", func() bool {
		return send("usual", time.Millisecond, traces.Status_STATUS_CODE_UNSET, usual)
	})
	if !send("slow", 2*time.Second, traces.Status_STATUS_CODE_UNSET, 3) || !send("failed", time.Millisecond, traces.Status_STATUS_CODE_ERROR, 3) {
		t.Fatal("the collector takes no more spans")
	}
	await.That(t, "what was slow and what failed is kept, and some of the rest", func() bool {
		return len(got.Named("slow")) == 3 && len(got.Named("failed")) == 3 && len(got.Named("usual")) > 0
	})
	// Who came before was decided on before.
	if n := len(got.Named("usual")); n > usual/20 {
		t.Errorf("%d of %d usual traces were kept, want about one in a hundred", n, usual)
	}
}
