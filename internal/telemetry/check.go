package telemetry

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Check reports which of the OTEL_… variables cannot be what was meant: the
// libraries go on with a default then, or send to nowhere. Start calls it.
func Check() error {
	if disabled() {
		return nil
	}
	for name, known := range map[string][]string{
		tracesExporter:                        {"otlp", "console", "none"},
		metricsExporter:                       {"otlp", "prometheus", "console", "none"},
		"OTEL_EXPORTER_OTLP_PROTOCOL":         {"grpc", "http/protobuf"},
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL":  {"grpc", "http/protobuf"},
		"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": {"grpc", "http/protobuf"},
	} {
		if value := os.Getenv(name); value != "" && !slices.Contains(known, value) {
			return fmt.Errorf("%s is %q: it takes %s", name, value, strings.Join(known, ", "))
		}
	}
	for _, name := range []string{otlpEndpoint, otlpTraces, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return fmt.Errorf("%s is not of the form http://host:port", name) // it may hold a password
		}
	}
	_, err := samplerFrom(os.Getenv(samplerName), os.Getenv(samplerArg))
	return err
}
