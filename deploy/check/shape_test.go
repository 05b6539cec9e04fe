package check

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// listens are the ports at which services are reached by each other.
func listens(p *types.Project) []string {
	all := []string{"clickhouse:9000", "clickhouse:8123", "jaeger:4318", "jaeger:4317"}
	for name, s := range p.Services {
		for _, from := range []string{"PARLEY_LISTEN", "PARLEY_API", "PARLEY_ADMIN"} {
			if at := variable(s, from); at != "" {
				all = append(all, name+at)
			}
		}
	}
	for _, listener := range strings.Split(variable(p.Services["kafka"], "KAFKA_ADVERTISED_LISTENERS"), ",") {
		_, at, _ := strings.Cut(listener, "://")
		all = append(all, at)
	}
	return all
}

// addresses checks that something listens where a service is to connect.
func addresses(p *types.Project, s types.ServiceConfig) (found []string) {
	if !ours(s) {
		return nil
	}
	there := listens(p)
	ask := func(name, at string) {
		host, _, err := net.SplitHostPort(at)
		if _, ok := p.Services[host]; err != nil || !ok || !slices.Contains(there, at) {
			found = append(found, fmt.Sprintf("%s names %s, where nobody listens", name, at))
		}
	}
	for _, broker := range strings.Split(variable(s, "PARLEY_KAFKA"), ",") {
		ask("PARLEY_KAFKA", broker)
	}
	for _, name := range []string{"PARLEY_CLICKHOUSE", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		value := variable(s, name)
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		ask(name, u.Host)
		if name == "PARLEY_CLICKHOUSE" {
			found = append(found, credentials(p.Services["clickhouse"], u)...)
		}
	}
	return found
}

// credentials compares a DSN with the user that the server is to create.
func credentials(server types.ServiceConfig, dsn *url.URL) (found []string) {
	password, _ := dsn.User.Password()
	for what, pair := range map[string][2]string{
		"user":     {dsn.User.Username(), variable(server, "CLICKHOUSE_USER")},
		"password": {password, variable(server, "CLICKHOUSE_PASSWORD")},
		"database": {strings.TrimPrefix(dsn.Path, "/"), variable(server, "CLICKHOUSE_DB")},
	} {
		if pair[0] != pair[1] {
			found = append(found, fmt.Sprintf("PARLEY_CLICKHOUSE names the %s %s, ClickHouse has %s", what, pair[0], pair[1]))
		}
	}
	return found
}

// standard are the variables of OpenTelemetry's specification that we use.
var standard = []string{
	"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER",
	"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
}

func otel(_ *types.Project, s types.ServiceConfig) (found []string) {
	for name := range s.Environment {
		if strings.HasPrefix(name, "OTEL_") && !slices.Contains(standard, name) {
			found = append(found, name+" is not a variable of OpenTelemetry that we use")
		}
	}
	return found
}

// waits is the order of starting: servers, roles, load balancer, each when
// those before it are healthy.
func waits(p *types.Project, s types.ServiceConfig) (found []string) {
	var before []string
	switch {
	case ours(s) && variable(s, "PARLEY_CLICKHOUSE") != "":
		before = []string{"kafka", "clickhouse"}
	case ours(s):
		before = []string{"kafka"}
	case s.Name == "lb":
		before = append(before, "token-endpoint")
		for _, c := range servicesOf(p, "connector") {
			before = append(before, c.Name)
		}
	}
	for _, name := range before {
		if d, ok := s.DependsOn[name]; !ok || d.Condition != types.ServiceConditionHealthy || !d.Required {
			found = append(found, fmt.Sprintf("it does not wait for %s to be healthy", name))
		}
	}
	return found
}

// shape counts the parts of which there must be several.
func shape(p *types.Project) (found []string) {
	for command, want := range map[string]int{"connector": 2, "chatworker": 2, "projector": 1, "hooks": 1, "ingest": 1} {
		n := 0
		for _, s := range servicesOf(p, command) {
			n += s.GetScale()
		}
		if n != want {
			found = append(found, fmt.Sprintf("there are %d %s, want %d", n, command, want))
		}
	}
	for _, server := range []string{"kafka", "clickhouse", "jaeger", "token-endpoint", "lb"} {
		if _, ok := p.Services[server]; !ok {
			found = append(found, "there is no "+server)
		}
	}
	return found
}

// scraped asks that Prometheus, as it is shipped, looks at every role under the
// name of a job by which the alerts go.
func scraped(p *types.Project) (found []string) {
	var config struct {
		Jobs []struct {
			Name string `json:"job_name"`
			DNS  []struct {
				Names []string
				Port  int
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	text, err := os.ReadFile(root + "/deploy/prometheus/prometheus.yaml")
	if err := errors.Join(err, yaml.Unmarshal(text, &config)); err != nil {
		return []string{"Prometheus: " + err.Error()}
	}
	at := map[string]string{} // jobs, by address
	for _, job := range config.Jobs {
		for _, look := range job.DNS {
			for _, name := range look.Names {
				at[fmt.Sprintf("%s:%d", name, look.Port)] = job.Name
			}
		}
	}
	for _, s := range p.Services {
		if !ours(s) || len(s.Command) == 0 {
			continue
		}
		address := s.Name + variable(s, "PARLEY_ADMIN")
		if want := "parley-" + s.Command[0]; at[address] != want {
			found = append(found, fmt.Sprintf("%s: Prometheus has %s in job %q, want %s", s.Name, address, at[address], want))
		}
		delete(at, address)
	}
	for address, job := range at {
		found = append(found, fmt.Sprintf("Prometheus: job %s names %s, where no role is", job, address))
	}
	return found
}

// kafka compares the broker's settings with those that Parley's own nodes have,
// in the part of their file that the guarantees hang on.
func kafka(p *types.Project) (found []string) {
	s := p.Services["kafka"]
	text, err := os.ReadFile(root + "/deploy/kafka/server.properties")
	if err != nil {
		return []string{err.Error()}
	}
	needed, _, both := strings.Cut(string(text), "# --- The rest")
	if !both {
		return []string{"deploy/kafka/server.properties does not say which settings the guarantees hang on"}
	}
	want := map[string]string{"KAFKA_PROCESS_ROLES": "broker,controller", "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER"}
	for line := range strings.Lines(needed) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			want["KAFKA_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = value
		}
	}
	for name, value := range want {
		if got := variable(s, name); got != value {
			found = append(found, fmt.Sprintf("kafka: %s is %q, want %q", name, got, value))
		}
	}
	if id := variable(s, "CLUSTER_ID"); len(id) != 22 {
		found = append(found, fmt.Sprintf("kafka: %q is not a cluster id", id))
	}
	return found
}

// templated is a variable that a template of the load balancer names.
var templated = regexp.MustCompile(`\$\{(PARLEY_LB_[A-Z0-9_]+)\}`)

// balancer looks whether every connector is behind the load balancer, and
// whether its configuration gets the variables that it names, and no others.
func balancer(p *types.Project) (found []string) {
	lb := p.Services["lb"]
	given := map[string]bool{}
	behind := []string{}
	for name, value := range lb.Environment {
		if strings.HasPrefix(name, "PARLEY_LB_") && value != nil {
			given[name] = true
			behind = append(behind, *value)
		}
	}
	for _, c := range servicesOf(p, "connector") {
		for _, from := range []string{"PARLEY_LISTEN", "PARLEY_API"} {
			if at := c.Name + variable(c, from); !slices.Contains(behind, at) {
				found = append(found, fmt.Sprintf("lb: %s is not behind it", at))
			}
		}
	}
	named := map[string]bool{}
	text, err := os.ReadFile(nginxTemplate)
	more, err2 := os.ReadFile(httpsTemplate)
	backends, err3 := os.ReadFile(apiTemplate)
	if err := errors.Join(err, err2, err3); err != nil {
		return append(found, "lb: "+err.Error())
	}
	for _, m := range templated.FindAllStringSubmatch(string(text)+string(more)+string(backends), -1) {
		named[m[1]] = true
		if !given[m[1]] {
			found = append(found, fmt.Sprintf("lb: %s is not set, and its configuration names it", m[1]))
		}
	}
	for name := range given {
		if !named[name] {
			found = append(found, fmt.Sprintf("lb: %s is set, and its configuration does not name it", name))
		}
	}
	return found
}

const (
	nginxTemplate = root + "/deploy/nginx/nginx.conf.template"
	httpsTemplate = root + "/deploy/nginx/https.conf.template"
	apiTemplate   = root + "/deploy/nginx/api.conf.template"
)
