package telemetry

import (
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/internal/quote"
)

// Variables for which traces are kept.
const (
	samplerName = "OTEL_TRACES_SAMPLER"
	samplerArg  = "OTEL_TRACES_SAMPLER_ARG"
)

// samplerFrom is what the standard variables ask for. The SDK reads them too,
// but does not return what it read, and uses a default where it is wrong.
func samplerFrom(name, arg string) (sdk.Sampler, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	base, parentBased := strings.CutPrefix(name, "parentbased_")
	var s sdk.Sampler
	switch base {
	case "":
		return sdk.ParentBased(sdk.AlwaysSample()), nil
	case "always_on":
		s = sdk.AlwaysSample()
	case "always_off":
		s = sdk.NeverSample()
	case "traceidratio":
		ratio, err := ratioOf(arg)
		if err != nil {
			return nil, err
		}
		s = sdk.TraceIDRatioBased(ratio)
	default:
		return nil, fmt.Errorf("%s: it takes always_on, always_off, traceidratio, or one of them after parentbased_%s", samplerName, quote.Not(name))
	}
	if parentBased {
		s = sdk.ParentBased(s)
	}
	return s, nil
}

func ratioOf(arg string) (float64, error) {
	arg = strings.TrimSpace(arg)
	if arg == "" {
		return 1, nil
	}
	ratio, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return 0, fmt.Errorf("%s: it takes a number from 0 to 1%s", samplerArg, quote.Not(arg))
	}
	return ratio, nil
}

// sampler lets the given one decide, with two additions. What it would drop is
// recorded, in case it fails. And the span of a batch is sampled when a span of
// this process that it is linked to is. A link to a trace of elsewhere, such as
// a client's, decides nothing.
type sampler struct{ sdk.Sampler }

// ShouldSample implements the SDK's Sampler.
func (s *sampler) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	result := s.Sampler.ShouldSample(p)
	if result.Decision == sdk.RecordAndSample {
		return result
	}
	result.Decision = sdk.RecordOnly
	if trace.SpanContextFromContext(p.ParentContext).IsValid() {
		return result
	}
	for i := range p.Links {
		if of := p.Links[i].SpanContext; of.IsSampled() && !of.IsRemote() {
			result.Decision = sdk.RecordAndSample
			break
		}
	}
	return result
}

// failure is a span that failed in a trace that is not sampled. It is a root,
// because its parent was not exported.
type failure struct{ sdk.ReadOnlySpan }

// SpanContext is that of a sampled span, or it would not be exported.
func (f failure) SpanContext() trace.SpanContext {
	sc := f.ReadOnlySpan.SpanContext()
	return sc.WithTraceFlags(sc.TraceFlags() | trace.FlagsSampled)
}

// Parent is empty.
func (f failure) Parent() trace.SpanContext { return trace.SpanContext{} }

// Attributes mark that the rest of the trace is missing.
func (f failure) Attributes() []attribute.KeyValue {
	own := f.ReadOnlySpan.Attributes()
	return append(own[:len(own):len(own)], attribute.Bool("parley.unsampled", true))
}
