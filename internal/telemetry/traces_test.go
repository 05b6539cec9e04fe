package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/telemetry"
	"github.com/parley-chat/parley/internal/testing/telemetrytest"
	"github.com/parley-chat/parley/internal/tracing"
)

// environment clears the machine's telemetry variables and sets the given ones.
func environment(t *testing.T, pairs ...string) {
	t.Helper()
	for _, name := range []string{
		"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
		"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_METRICS_EXPORTER",
	} {
		t.Setenv(name, "")
	}
	for i := 0; i < len(pairs); i += 2 {
		t.Setenv(pairs[i], pairs[i+1])
	}
}

func start(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tell, err := telemetry.Start(t.Context(), "parley-test", "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return tell
}

// stop flushes, within a time.
func stop(t *testing.T, tell *telemetry.Telemetry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tell.Shutdown(ctx)
}

func TestSpansAreExported(t *testing.T) {
	for protocol, receive := range map[string]func(testing.TB) (*telemetrytest.Receiver, string){
		"http/protobuf": telemetrytest.HTTP, "grpc": telemetrytest.GRPC,
	} {
		t.Run(protocol, func(t *testing.T) {
			got, url := receive(t)
			environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_EXPORTER_OTLP_PROTOCOL", protocol,
				"OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
			tell := start(t)
			tracing.New(tell.Tracers(), "test").Request("chat").End(nil)
			stop(t, tell)
			spans := got.Spans()
			if len(spans) != 1 || spans[0].Name != "chat" || spans[0].Scope != "github.com/parley-chat/parley/test" {
				t.Fatalf("exported %v", spans)
			}
			of := spans[0].Resource
			if of["service.name"] != "parley-test" || of["service.version"] != "1.2.3" || of["service.instance.id"] == "" ||
				of["deployment.environment.name"] != "test" {
				t.Errorf("of resource %v", of)
			}
		})
	}
}

func TestServiceNameOfTheEnvironmentWins(t *testing.T) {
	got, url := telemetrytest.HTTP(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_SERVICE_NAME", "my-chat")
	tell := start(t)
	tracing.New(tell.Tracers(), "test").Request("chat").End(nil)
	stop(t, tell)
	if spans := got.Spans(); len(spans) != 1 || spans[0].Service() != "my-chat" {
		t.Errorf("exported %v", spans)
	}
}

// Off means no provider at all, so that it costs nothing.
func TestOffIsNothing(t *testing.T) {
	for name, pairs := range map[string][]string{
		"nothing set": nil,
		"none":        {"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"},
		"disabled":    {"OTEL_SDK_DISABLED", "true", "OTEL_TRACES_EXPORTER", "otlp"},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, pairs...)
			tell := start(t)
			if tell.Tracers() != nil {
				t.Error("there is a provider")
			}
			stop(t, tell)
		})
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	for _, wrong := range [][]string{
		{"OTEL_TRACES_SAMPLER", "sometimes"},
		{"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "1.5"},
		{"OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "NaN"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon"},
		{"OTEL_TRACES_EXPORTER", "pigeon"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "ada:Bearer@host:4317"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "-1"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "many"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999"},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"},
		{"OTEL_BSP_SCHEDULE_DELAY", "0"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "127.0.0.1:4318"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/hunter2"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization Bearer hunter2"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%ZZhunter2"},
		{"OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "hunter2"},
		{"OTEL_EXPORTER_OTLP_COMPRESSION", "rar"},
		{"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd"},
		{"OTEL_EXPORTER_OTLP_INSECURE", "maybe"},
		{"OTEL_EXPORTER_OTLP_TRACES_INSECURE", "1"},
		{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere"},
		{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/nowhere", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere"},
		{"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/nowhere"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
		{"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"},
		{"OTEL_METRIC_EXPORT_INTERVAL", "abc"},
		{"OTEL_METRIC_EXPORT_TIMEOUT", "-5"},
		{"OTEL_BSP_EXPORT_TIMEOUT", "1e3"},
		{"OTEL_SDK_DISABLED", "yes"},
		{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "few"},
		{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"},
		{"OTEL_RESOURCE_ATTRIBUTES", "ada:Bearer@host"},
		{"OTEL_TRACES_EXPORTER", "ada:Bearer@host"},
		{"OTEL_TRACES_SAMPLER", "ada:Bearer@host"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "ada:Bearer@host"},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ada:Bearer@host"},
	} {
		t.Run(strings.Join(wrong, "="), func(t *testing.T) {
			environment(t, append([]string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"}, wrong...)...)
			_, err := telemetry.Start(t.Context(), "parley-test", "", slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "OTEL_") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "Bearer") {
				t.Errorf("%v: %v", wrong, err)
			}
			if checked := telemetry.Check(); checked == nil || err != nil && checked.Error() != err.Error() {
				t.Errorf("%v: a start says %v, check says %v", wrong, err, checked)
			}
		})
	}
}

// What is right is accepted, and looking at it sends and prints nothing.
func TestRightSettingsAreAccepted(t *testing.T) {
	got, url := telemetrytest.HTTP(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip",
		"OTEL_EXPORTER_OTLP_INSECURE", "True", "OTEL_METRIC_EXPORT_INTERVAL", "15000", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "-1",
		"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2", "OTEL_EXPORTER_OTLP_TIMEOUT", "10000")
	if err := telemetry.Check(); err != nil {
		t.Error(err)
	}
	if spans := got.Spans(); len(spans) > 0 {
		t.Errorf("it sends %v", spans)
	}
}

// With a ratio about that part of the traces is exported, whole or not at all.
func TestRatio(t *testing.T) {
	got, url := telemetrytest.HTTP(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url,
		"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.1")
	tell := start(t)
	tracer := tracing.New(tell.Tracers(), "test")
	events := tracer.Topic("parley.events", "")
	const requests = 4000
	for range requests {
		request := tracer.Request("chat")
		send := events.Send(request, 0, 1)
		work := events.Process(0, &eventlog.Record{Headers: send.Headers()})
		work.End(nil)
		send.Acknowledged(7, nil)
		request.End(nil)
	}
	stop(t, tell)
	byTrace := map[string]int{}
	for _, s := range got.Spans() {
		byTrace[s.Trace()]++
	}
	if n := len(byTrace); n < requests/20 || n > requests/5 {
		t.Errorf("%d of %d traces at a ratio of 0.1", n, requests)
	}
	for trace, n := range byTrace {
		if n != 3 {
			t.Errorf("trace %s has %d spans", trace, n)
		}
	}
}

var errBroken = errors.New("the body was: hunter2")

// What fails is exported although its trace is not sampled: as spans without a
// parent, because nobody would find one.
func TestFailuresAreExportedUnsampled(t *testing.T) {
	got, url := telemetrytest.HTTP(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_TRACES_SAMPLER", "parentbased_always_off")
	tell := start(t)
	tracer := tracing.New(tell.Tracers(), "test")
	events := tracer.Topic("parley.events", "group")

	fine := tracer.Request("join")
	events.Send(fine, 0, 1).Acknowledged(1, nil)
	fine.End(nil)
	bad := tracer.Request("chat")
	send := events.Send(bad, 3, 1)
	if bad.TraceID() != "" || send.Headers() != nil {
		t.Error("an unsampled trace travels on")
	}
	send.Acknowledged(0, errBroken)
	bad.Refused(1007, true)
	tracer.Request("leave").Refused(1003, false) // the client's fault
	work := events.Process(3, &eventlog.Record{Offset: 9})
	work.End(fmt.Errorf("apply: %w", errBroken))
	canceled := tracer.Request("history")
	canceled.End(fmt.Errorf("stopped: %w", context.Canceled))
	tracer.Insert("default", "events_1", 5, nil).End(errBroken)
	stop(t, tell)

	names := map[string]telemetrytest.Span{}
	for _, s := range got.Spans() {
		if s.Parent() != "" || !s.Failed() || s.Attributes["parley.unsampled"] == "" || s.Attributes["error.type"] == "" {
			t.Errorf("exported %v", s)
		}
		names[s.Name] = s
	}
	if len(got.Spans()) != 4 || len(names) != 4 {
		t.Errorf("exported %d spans: %v", len(got.Spans()), names)
	}
	if names["chat"].Trace() != names["send parley.events"].Trace() || names["chat"].Attributes["error.type"] != "1007" {
		t.Errorf("chat %v, send %v", names["chat"], names["send parley.events"])
	}
	if p := names["process parley.events"].Attributes; p["messaging.kafka.offset"] == "" || p["messaging.consumer.group.name"] != "group" {
		t.Errorf("process %v", p)
	}
	if bytes.Contains(got.Raw(), []byte("hunter2")) {
		t.Error("the text of an error was exported")
	}
}

// A batch is sampled when a record in it is, and the two are linked.
func TestBatchesAreLinked(t *testing.T) {
	got, url := telemetrytest.GRPC(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc",
		"OTEL_TRACES_SAMPLER", "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.05")
	tell := start(t)
	tracer := tracing.New(tell.Tracers(), "test")
	var sampled tracing.Span
	for !sampled.Sampled() {
		sampled = tracer.Request("chat")
	}
	for range 20 {
		insert := tracer.Insert("default", "events_1", 2, []tracing.Span{sampled})
		if !insert.Sampled() {
			t.Fatal("a batch with a sampled record is not sampled")
		}
		insert.End(nil)
	}
	sampled.End(nil)
	stop(t, tell)
	for _, s := range got.Named("INSERT events_1") {
		if len(s.Links) != 1 || string(s.Links[0].SpanId) != string(got.Named("chat")[0].SpanId) || s.Attributes["db.system.name"] != "clickhouse" {
			t.Errorf("%v", s)
		}
	}
	if n := len(got.Named("chat")[0].Links); n != 20 {
		t.Errorf("the record's span has %d links", n)
	}
}

// A client's traceparent is a link and decides nothing.
func TestClientCannotForceSampling(t *testing.T) {
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for sampler, want := range map[string]int{"parentbased_always_off": 0, "parentbased_always_on": 2} {
		got, url := telemetrytest.HTTP(t)
		environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url, "OTEL_TRACES_SAMPLER", sampler)
		tell := start(t)
		tracer := tracing.New(tell.Tracers(), "test")
		for _, parent := range []string{theirs, "nonsense"} {
			request := tracer.Request("chat")
			request.LinkClient(parent)
			request.End(nil)
		}
		stop(t, tell)
		spans := got.Spans()
		if len(spans) != want {
			t.Fatalf("%s: exported %v", sampler, spans)
		}
		if want > 0 && (len(spans[0].Links) != 1 || len(spans[1].Links) != 0 || spans[0].Trace() == theirs[3:35] || spans[0].Parent() != "") {
			t.Errorf("%s: exported %v", sampler, spans)
		}
	}
}

func TestLogsNameTheTrace(t *testing.T) {
	got, url := telemetrytest.HTTP(t)
	environment(t, "OTEL_EXPORTER_OTLP_ENDPOINT", url)
	tell := start(t)
	var out bytes.Buffer
	log := slog.New(telemetry.LogHandler(slog.NewTextHandler(&out, nil))).With("part", "test")
	span := tracing.New(tell.Tracers(), "test").Request("chat")
	log.InfoContext(span.In(t.Context()), "within")
	span.End(nil)
	log.InfoContext(t.Context(), "without")
	stop(t, tell)
	lines := strings.Split(out.String(), "\n")
	if !strings.Contains(lines[0], "trace_id="+got.Spans()[0].Trace()) || !strings.Contains(lines[0], "span_id="+got.Spans()[0].ID()) {
		t.Errorf("within: %s", lines[0])
	}
	if strings.Contains(lines[1], "trace_id") {
		t.Errorf("without: %s", lines[1])
	}
}
