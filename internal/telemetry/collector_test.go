package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/telemetry"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/internal/tracing"
)

// A collector that is down delays neither the work nor the stop, and is logged.
func TestCollectorAway(t *testing.T) {
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	var out bytes.Buffer
	tell, err := telemetry.Start(t.Context(), "parley-test", "", slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tracing.New(tell.Tracers(), "test").Request("chat").End(nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	defer cancel()
	began := time.Now()
	tell.Shutdown(ctx)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if strings.Count(out.String(), "telemetry is lost") != 1 {
		t.Errorf("it says:\n%s", &out)
	}
}

// hanging is a collector that takes connections and answers when it is
// released.
func hanging(t *testing.T) (url string, release func()) {
	t.Helper()
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gone }))
	released := false
	release = func() {
		if !released {
			released = true
			close(gone)
		}
	}
	t.Cleanup(server.Close)
	t.Cleanup(release)
	return server.URL, release
}

// One that hangs takes no more of a stop than it is given, and logs what is
// lost.
func TestCollectorHangs(t *testing.T) {
	url, _ := hanging(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_METRICS_EXPORTER", "otlp")
	var out bytes.Buffer
	tell, err := telemetry.Start(t.Context(), "parley-test", "", slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	tracing.New(tell.Tracers(), "test").Request("chat").End(nil)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	tell.Shutdown(ctx)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	for _, want := range []string{"the last spans are lost", "the last metrics are lost"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, &out)
		}
	}
}

// Spans that are made faster than they are taken are dropped at the bound that
// was set, counted and logged, and hold nothing up.
//
//parley:bound spans that wait
func TestQueueOfSpansIsBounded(t *testing.T) {
	url, release := hanging(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_BSP_MAX_QUEUE_SIZE", "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4",
		"OTEL_BSP_SCHEDULE_DELAY", "20")
	var out bytes.Buffer
	tell, err := telemetry.Start(t.Context(), "parley-test", "", slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	tracer := tracing.New(tell.Tracers(), "test")
	counts := func(want ...string) {
		t.Helper()
		await.That(t, strings.Join(want, " and "), func() bool {
			page := metrics(tell)
			return !slices.ContainsFunc(want, func(line string) bool { return !strings.Contains(page, line+"\n") })
		})
	}
	counts(`parley_telemetry_spans_total{result="dropped"} 0`)
	for range 100 {
		tracer.Request("chat").End(nil)
	}
	counts(`parley_telemetry_spans_total{result="dropped"} 90`, `parley_telemetry_spans_total{result="exported"} 0`)
	release()
	counts(`parley_telemetry_spans_total{result="exported"} 10`, `parley_telemetry_spans_total{result="failed"} 0`)
	tracer.Request("chat").End(nil) // there is room again
	counts(`parley_telemetry_spans_total{result="exported"} 11`, `parley_telemetry_spans_total{result="dropped"} 90`)
	stop(t, tell)
	if text := out.String(); strings.Count(text, "the queue is full, see OTEL_BSP_MAX_QUEUE_SIZE") != 1 {
		t.Errorf("it says:\n%s", text)
	}
}

func metrics(tell *telemetry.Telemetry) string {
	w := httptest.NewRecorder()
	tell.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// OTEL_SDK_DISABLED stops what is pushed. What Prometheus asks for is served.
func TestDisabledPushesNothing(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.Path }))
	defer server.Close()
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", server.URL, "OTEL_METRICS_EXPORTER", "otlp", "OTEL_SDK_DISABLED", "true")
	tell := start(t)
	if tell.Tracers() != nil {
		t.Error("there are traces")
	}
	if !strings.Contains(metrics(tell), "target_info") {
		t.Error("no metrics are served")
	}
	stop(t, tell)
	select {
	case path := <-asked:
		t.Errorf("%s is pushed", path)
	default:
	}
}

// What waits in a full queue takes as much memory as docs/architecture.md says.
//
//parley:bound spans that wait
func TestSpansTakeWhatTheyMay(t *testing.T) {
	const reckoned = 2 << 10
	url, _ := hanging(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url)
	tell := start(t)
	tracer := tracing.New(tell.Tracers(), "test")
	before := inuse.Heap()
	for range 2 * 16_384 {
		_, span := tracer.History(t.Context())
		span.Messages(300, errors.New("ClickHouse is away: "+strings.Repeat("x", 200)))
	}
	each := (inuse.Heap() - before) / 16_384
	t.Logf("%d bytes a span", each)
	if each > reckoned {
		t.Errorf("a span takes %d bytes, at most %d are reckoned with", each, reckoned)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tell.Shutdown(ctx)
}
