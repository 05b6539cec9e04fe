package check

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"
)

const (
	adapterFile = manifests + "/prometheus-adapter.yaml"
	metricsPage = root + "/docs/metrics.md"
)

// adapter is the rules of the Prometheus adapter.
type adapter struct {
	Rules struct {
		Default  bool          `json:"default"`
		Custom   []adapterRule `json:"custom"`
		External []adapterRule `json:"external"`
	} `json:"rules"`
}

type adapterRule struct {
	SeriesQuery  string `json:"seriesQuery"`
	MetricsQuery string `json:"metricsQuery"`
	Resources    struct {
		Overrides map[string]struct{ Resource string } `json:"overrides"`
	} `json:"resources"`
	Name struct {
		As string `json:"as"`
	} `json:"name"`
}

var (
	series     = regexp.MustCompile(`^[a-z_]+`)
	documented = regexp.MustCompile("(?m)^\\| `(parley_[a-z_]+)` \\| ([a-z]+) \\|")
)

// measured compares what autoscalers ask for with what the adapter gives, and
// that with the metrics that the program has. All are gauges.
func measured(o *objects, rules *adapter, page string) (found []string) {
	gauges := map[string]bool{}
	for _, m := range documented.FindAllStringSubmatch(page, -1) {
		gauges[m[1]] = m[2] == "gauge"
	}
	given := map[string][]string{}
	for kind, all := range map[string][]string{"Pods": names(rules.Rules.Custom), "External": names(rules.Rules.External)} {
		for _, name := range all {
			given[kind] = append(given[kind], name)
			if !gauges[name] {
				found = append(found, fmt.Sprintf("the adapter reads %s, and the program has no such gauge", name))
			}
		}
	}
	for _, s := range o.scalers {
		asks := 0
		for _, m := range s.Spec.Metrics {
			name := ""
			switch m.Type {
			case autoscalingv2.PodsMetricSourceType:
				name = m.Pods.Metric.Name
			case autoscalingv2.ExternalMetricSourceType:
				name = m.External.Metric.Name
			default:
				continue
			}
			asks++
			if !slices.Contains(given[string(m.Type)], name) {
				found = append(found, fmt.Sprintf("autoscaler %s asks for %s, which the adapter does not give to %s", s.Name, name, m.Type))
			}
		}
		if asks == 0 {
			found = append(found, fmt.Sprintf("autoscaler %s looks at nothing of ours", s.Name))
		}
	}
	return found
}

// names returns the metrics of rules, whose queries read the series of that
// name.
func names(rules []adapterRule) (all []string) {
	for _, r := range rules {
		if series.FindString(r.SeriesQuery) == r.Name.As && strings.Contains(r.MetricsQuery, "<<.Series>>") {
			all = append(all, r.Name.As)
		}
	}
	return all
}

func TestAutoscalersAskForWhatThereIs(t *testing.T) {
	rules, err := os.ReadFile(adapterFile)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{"as: parley_chatworker_lag ", "as: parley_chatworker_lags ", "autoscaler parley-chatworker asks for parley_chatworker_lag"},
		{"as: parley_ingest_lag ", "as: parley_ingest_lags ", "autoscaler parley-ingest asks for parley_ingest_lag"},
		{"parley_projector_lag_age_seconds", "parley_projector_lag_seconds", "the adapter reads parley_projector_lag_seconds"},
		{"parley_connector_connections", "parley_connector_messages_total", "the adapter reads parley_connector_messages_total"},
	} {
		text := strings.ReplaceAll(string(rules), c.old, c.new)
		if c.old == "" {
			text = string(rules)
		}
		var a adapter
		if err := yaml.UnmarshalStrict([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		o, err := built(t, "ingest", "", "")
		if err != nil {
			t.Fatal(err)
		}
		found := strings.Join(measured(o, &a, string(page)), "\n")
		if c.want == "" && found != "" || !strings.Contains(found, c.want) {
			t.Errorf("with %q the problems are %q, want %q", c.new, found, c.want)
		}
	}
}
