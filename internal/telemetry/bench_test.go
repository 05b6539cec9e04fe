package telemetry_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/telemetry"
	"github.com/parley-chat/parley/internal/tracing"
)

// What the spans of one message cost all roles together, in processor time,
// export over OTLP included: with traces off, at one in a hundred, and at all.
// A busy machine does not change processor time much.
func BenchmarkTracesOfAMessage(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	for _, c := range []struct{ name, endpoint, ratio string }{
		{"off", "", ""}, {"1percent", server.URL, "0.01"}, {"all", server.URL, "1"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.endpoint)
			b.Setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
			b.Setenv("OTEL_TRACES_SAMPLER_ARG", c.ratio)
			tell, err := telemetry.Start(b.Context(), "parley-bench", "", slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			tracer := tracing.New(tell.Tracers(), "bench")
			events, pushes := tracer.Topic("parley.events", "group"), tracer.Topic("parley.push", "")
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				way(tracer, events, pushes)
			}
			tell.Shutdown(b.Context())
			b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// way is the way of a message to the members at one connector.
func way(tracer *tracing.Tracer, events, pushes *tracing.Topic) {
	request := tracer.Request("chat")
	send := events.Send(request, 3, 100)
	event := &eventlog.Record{Headers: send.Headers()}
	send.Acknowledged(7, nil)
	request.End(nil)
	work := events.Process(3, event)
	sent, headers := work.Send(pushes, 1, 100)
	sent.Acknowledged(8, nil)
	work.End(nil)
	fanOut := pushes.Process(1, &eventlog.Record{Headers: headers})
	fanOut.End(nil)
	row := events.Process(3, event)
	row.End(nil)
}

// processorTime is what this process has used, in nanoseconds.
func processorTime() int64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it knows itself
	return used.Utime.Nano() + used.Stime.Nano()
}
