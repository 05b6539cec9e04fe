package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/meter"
	"github.com/parley-chat/parley/internal/telemetry"
)

// Where the standard variables name a collector, metrics are pushed there, at
// the latest at the end; they are served all the same, without noise.
func TestMetricsArePushedAndServed(t *testing.T) {
	pushed := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		pushed <- r.URL.Path + " " + string(body)
	}))
	defer collector.Close()
	t.Setenv("OTEL_METRICS_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	t.Setenv("OTEL_SERVICE_NAME", "renamed")
	tel, err := telemetry.Start(t.Context(), "parley-test", "v0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	meter.New(tel.Meters()).Counter("parley.test.things", "{thing}", "Things that were counted.").Add(3)

	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	page := w.Body.String()
	for _, want := range []string{"# HELP parley_test_things_total Things that were counted.\n", "parley_test_things_total 3\n", `service_name="renamed"`, "go_goroutine_count ", "process_open_fds "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "otel_scope") {
		t.Error("the page names instrumentation scopes")
	}
	tel.Shutdown(context.WithoutCancel(t.Context()))
	if got := <-pushed; !strings.HasPrefix(got, "/v1/metrics ") || !strings.Contains(got, "parley.test.things") {
		t.Errorf("the collector got %q", got)
	}
}

func TestAnUnknownExporterIsAnError(t *testing.T) {
	t.Setenv("OTEL_METRICS_EXPORTER", "pigeon")
	if _, err := telemetry.Start(t.Context(), "parley-test", "v0", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), `OTEL_METRICS_EXPORTER: it takes otlp, prometheus, console, none, not "pigeon"`) {
		t.Errorf("got %v", err)
	}
}

// A log may have many partitions, and the lag of each is shown.
func TestEveryPartitionIsServed(t *testing.T) {
	tel, err := telemetry.Start(t.Context(), "parley-test", "v0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(context.WithoutCancel(t.Context()))
	const partitions = 10_000
	g := meter.New(tel.Meters()).Gauges()
	g.AddByPartition("parley.test.lag", "{event}", "Events.", func(yield func(int, float64)) {
		for p := range partitions {
			yield(p, 1)
		}
	})
	defer g.Start()()
	if n := strings.Count(metrics(tel), "\nparley_test_lag{"); n != partitions {
		t.Errorf("%d of %d partitions are served", n, partitions)
	}
}
