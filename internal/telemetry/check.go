package telemetry

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/quote"
	"github.com/parley-chat/parley/internal/trust"
)

// otlp are the beginnings of variables for both signals and for one.
var otlp = []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_METRICS_"}

// words are the variables that take one of some words.
var words = map[string][]string{
	tracesExporter:  {"otlp", "console", "none"},
	metricsExporter: {"otlp", "prometheus", "console", "none"},
	"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE":        {"cumulative", "delta", "lowmemory"},
	"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": {"explicit_bucket_histogram", "base2_exponential_bucket_histogram"},
}

// times are the variables that take milliseconds, and limits those that take a
// number, or -1 for none.
var (
	times  = []string{"OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_BSP_EXPORT_TIMEOUT", scheduleDelay}
	limits = []string{
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
	}
)

// checkVariables reports which of the OTEL_… variables cannot be what was meant:
// the libraries silently use a default then, or send to nowhere.
func checkVariables() error {
	if err := checkWord(sdkDisabled, "true", "false"); err != nil || disabled() {
		return err
	}
	for name, known := range words {
		if err := checkWord(name, known...); err != nil {
			return err
		}
	}
	for _, begins := range otlp {
		if err := checkExporter(begins); err != nil {
			return err
		}
	}
	for _, name := range times {
		if err := checkNumber(name, 1, "a number of milliseconds from 1 on"); err != nil {
			return err
		}
	}
	for _, name := range limits {
		if err := checkNumber(name, -1, "a number, or -1 for no limit"); err != nil {
			return err
		}
	}
	for _, name := range []string{queueSize, batchSize} {
		if _, err := sizeFrom(name, 1); err != nil {
			return err
		}
	}
	_, err := samplerFrom(os.Getenv(samplerName), os.Getenv(samplerArg))
	return err
}

// checkExporter checks the variables of one beginning.
func checkExporter(begins string) error {
	for name, known := range map[string][]string{"PROTOCOL": {"grpc", "http/protobuf"}, "COMPRESSION": {"gzip", "none"}, "INSECURE": {"true", "false"}} {
		if err := checkWord(begins+name, known...); err != nil {
			return err
		}
	}
	if err := checkNumber(begins+"TIMEOUT", 1, "a number of milliseconds from 1 on"); err != nil {
		return err
	}
	if value := os.Getenv(begins + "ENDPOINT"); value != "" {
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return fmt.Errorf("%sENDPOINT is not of the form http://host:port", begins)
		}
	}
	of := func(name string) string { return cmp.Or(os.Getenv(begins+name), os.Getenv(otlp[0]+name)) }
	files := trust.Files{CA: of("CERTIFICATE"), Cert: of("CLIENT_CERTIFICATE"), Key: of("CLIENT_KEY")}
	if _, err := files.Config(); err != nil {
		return fmt.Errorf("%sCERTIFICATE, …CLIENT_CERTIFICATE and …CLIENT_KEY: %w", begins, err)
	}
	return nil
}

// checkWord checks a variable that takes one of some words.
func checkWord(name string, known ...string) error {
	value := os.Getenv(name)
	if value == "" || slices.Contains(known, value) || slices.Contains(known, strings.ToLower(value)) && known[0] == "true" {
		return nil
	}
	return fmt.Errorf("%s: it takes %s%s", name, strings.Join(known, ", "), quote.Not(value))
}

func checkNumber(name string, least int, takes string) error {
	value := os.Getenv(name)
	if n, err := strconv.ParseInt(value, 10, 32); value != "" && (err != nil || int(n) < least) {
		return fmt.Errorf("%s: it takes %s%s", name, takes, quote.Not(value))
	}
	return nil
}
