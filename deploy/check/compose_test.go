package check

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = root + "/deploy/compose.yaml"

// compose loads a compose file as `docker compose` would, with all profiles and
// nothing set in the environment but what is given.
func compose(t *testing.T, text string, environment types.Mapping) *types.Project {
	t.Helper()
	project, err := loaded(t, text, environment, "*")
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// chosen is what scripts/docker.sh always chooses, and what it wants for hooks;
// TestMain fills in where the keys are.
var chosen = types.Mapping{"CLICKHOUSE_PASSWORD": "chosen", "PARLEY_URL": "https://backend.example.com/hooks"}

func loaded(t *testing.T, text string, environment types.Mapping, profiles ...string) (*types.Project, error) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Dir(composeFile))
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: composeFile, Content: []byte(text)}},
		Environment: environment,
	}, loader.WithProfiles(profiles))
}

func composeText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestComposeFileIsRight(t *testing.T) {
	for _, p := range problems(compose(t, composeText(t), chosen)) {
		t.Error(p)
	}
}

// The stack does without a receiver of hooks, and without ingest, unless somebody
// asks for them.
func TestComposeProfiles(t *testing.T) {
	environment := maps.Clone(chosen)
	delete(environment, "PARLEY_URL")
	for profile, more := range map[string][]string{"": nil, "hooks": {"hooks"}, "ingest": {"ingest"}} {
		p, err := loaded(t, composeText(t), environment, profile)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(append(more, "chatworker", "clickhouse", "connector-1", "connector-2", "jaeger", "kafka", "lb", "projector", "token-endpoint")))
		if got := p.ServiceNames(); !slices.Equal(got, want) {
			t.Errorf("with the profile %q there are %v, want %v", profile, got, want)
		}
	}
	found := strings.Join(problems(compose(t, composeText(t), environment)), "\n")
	if found != "hooks: exit status 1: parley: --url: the URL is not one of HTTP: it is like https://example.com/parley\n" {
		t.Errorf("hooks without a URL: %s", found)
	}
}

// ClickHouse is published, so its password is in no file that everybody has.
func TestComposeHasNoPassword(t *testing.T) {
	for _, missing := range []string{"CLICKHOUSE_PASSWORD", "PARLEY_SECRETS"} {
		for _, empty := range []bool{false, true} {
			environment := maps.Clone(chosen)
			delete(environment, missing)
			if empty {
				environment[missing] = ""
			}
			if _, err := loaded(t, composeText(t), environment); err == nil || !strings.Contains(err.Error(), missing) {
				t.Errorf("with %v: %v", environment, err)
			}
		}
	}
}

// Each rule finds what it is there for.
func TestWrongComposeFilesAreCaught(t *testing.T) {
	text := composeText(t)
	for _, c := range []struct{ old, new, want string }{
		{"command: [connector]", "command: [conector]", "conector"},
		{"command: [connector]", `command: [connector, --lisen, ":8080"]`, `connector-1: exit status 1: parley: unknown flag --lisen`},
		{"command: [chatworker]", "command: [chatworker, --clickhouse, clickhouse://clickhouse:9000/parley]", "chatworker: exit status 1: parley: unknown flag --clickhouse"},
		{"    PARLEY_AUTH_KEY: /run/secrets/token-pub\n    PARLEY_AUTH_AUDIENCE: parley\n", "", "connector-1: exit status 1: parley: the connector listens at :8080, beyond this machine"},
		{"PARLEY_AUTH_KEY: /run/secrets/token-pub\n    PARLEY_AUTH_AUDIENCE: parley", `PARLEY_OPEN: "true"`, "connector-1: it is open to everybody"},
		{"PARLEY_AUTH_AUDIENCE: parley", "PARLEY_AUTH_AUDIENCE: parlay", "connector-1: it wants tokens for parlay"},
		{"PARLEY_AUTH_KEY: /run/secrets/token-pub", "PARLEY_AUTH_KEY: /run/secrets/token-public", "connector-2: it has no secret token-public"},
		{"/token.pub", "/token.key", "connector-1: exit status 1: parley: --auth-key"},
		{"secrets: [token-pub, api-keys]", "secrets: [token-pub, api-keys, token-key]", "connector-1: it has the secret token-key, which is for token-endpoint alone"},
		{"secrets: [token-pub, api-keys]", "secrets: [token-pub]", "connector-1: it has no secret api-keys"},
		{"PARLEY_API_PLAINTEXT: \"true\"", "PARLEY_API_RATE: 1", "connector-2: exit status 1: parley: the API listens at :8091, beyond this machine"},
		{"PARLEY_LB_API_2: connector-2:8091", "PARLEY_LB_API_2: connector-2:8090", "lb: connector-2:8091 is not behind it"},
		{":8444\"]", ":8091\"]", "lb: what is published does not speak TLS"},
		{"/api-keys\" }", "/api.key\" }", "connector-1: exit status 1: parley: the file of API keys"},
		{"command: [hooks]", "command: [hook]", "hook"},
		{"/hooks.secret\" }", "/token.pub\" }", "hooks: exit status 1: parley: --secret-file"},
		{"secrets: [hooks-secret]", "secrets: [token-pub]", "hooks: it has no secret hooks-secret"},
		{"secrets: [token-pub, api-keys]", "secrets: [token-pub, api-keys, hooks-secret]", "connector-2: it has the secret hooks-secret, which is for hooks alone"},
		{"      PARLEY_SECRET_FILE: /run/secrets/hooks-secret\n", "", "hooks: exit status 1: parley: --url: what is sent beyond this machine is signed"},
		{"command: [ingest]", "command: [ingest, --url, http://backend/]", "ingest: exit status 1: parley: unknown flag --url"},
		{"  ingest:\n", "  commands:\n", "commands: Prometheus has commands:9464 in job \"\", want parley-ingest"},
		{"profiles: [ingest]\n    command: [ingest]", "profiles: [ingest]\n    command: [projector]", "there are 2 projector, want 1"},
		{"PARLEY_ADMIN: \":9464\"", "PARLEY_ADMIN: \":9465\"", "hooks: Prometheus has hooks:9465 in job"},
		{"secrets: [token-key, password]", "secrets: [token-key]", "token-endpoint: it has no secret password"},
		{"PARLEY_LB_TOKEN_ENDPOINT: token-endpoint:8090", "PARLEY_LB_TOKEN_ENDPOINT: token-endpoint:8091", "lb: token-endpoint:8090 is not behind it"},
		{"PARLEY_LB_CERT: /run/secrets/tls-crt", "PARLEY_LB_CERT: /run/secrets/tls-cert", "lb: it has no secret tls-cert"},
		{":8443\",", ":8080\",", "lb: what is published does not speak TLS"},
		{"token-endpoint: { condition: service_healthy, restart: true }", "token-endpoint: { condition: service_started }", "lb: it does not wait for token-endpoint to be healthy"},
		{"PARLEY_DRAIN: 5s", "PARLEY_DRAINS: 5s", "connector-2: exit status 1: parley: `parley connector` has no flag for the environment variable PARLEY_DRAINS"},
		{"PARLEY_DRAIN: 5s", "PARLEY_DRAIN: soon", "soon"},
		{"PARLEY_DRAIN: 5s", "PARLEY_DRAIN: 30s", "connector-1: it is killed after 40s, and takes up to 45s to stop"},
		{"stop_grace_period: 40s\n  logging", "logging", "projector: it is killed after 10s"},
		{"PARLEY_KAFKA: kafka:9092", "PARLEY_KAFKA: kafka", "chatworker: exit status 1: parley: --kafka"},
		{"PARLEY_KAFKA: kafka:9092", "PARLEY_KAFKA: broker:9092", "PARLEY_KAFKA names broker:9092"},
		{"PARLEY_KAFKA: kafka:9092", "PARLEY_KAFKA: kafka:9095", "PARLEY_KAFKA names kafka:9095"},
		{"@clickhouse:9000/parley", "@clickhouse:9001/parley", "PARLEY_CLICKHOUSE names clickhouse:9001"},
		{"@clickhouse:9000/parley", "@clickhouse:9000/default", "database default"},
		{"clickhouse://parley:", "clickhouse://someone:", "user someone"},
		{"OTEL_TRACES_SAMPLER:", "OTEL_TRACE_SAMPLER:", "OTEL_TRACE_SAMPLER"},
		{"http://jaeger:4318", "http://jager:4318", "OTEL_EXPORTER_OTLP_ENDPOINT names jager:4318"},
		{"apache/kafka:4.3.1", "apache/kafka:latest", "kafka: the image apache/kafka:latest"},
		{"apache/kafka:4.3.1", "apache/kafka", "kafka: the image apache/kafka "},
		{"nginx:1.28.0-alpine", "nginx:1-alpine", "lb: the image nginx:1-alpine"},
		{"[CMD, /parley, health]", "[CMD, /parley, helth]", "helth"},
		{"start_period: 30s", "start_period: 30s\n      start_interval: 1s", "lb: its health check has a start_interval"},
		{"test: [CMD, bash, -c,", `test: [CMD, /opt/kafka/bin/kafka-broker-api-versions.sh, --bootstrap-server, "localhost:9092",`, "kafka: its health check starts a second JVM"},
		{"[CMD, /parley, health]", "[NONE]", "projector: there is no health check"},
		{"connector-2: { condition: service_healthy, restart: true }", "connector-2: { condition: service_started }", "lb: it does not wait for connector-2 to be healthy"},
		{"clickhouse: { condition: service_healthy }", "jaeger: { condition: service_healthy }", "projector: it does not wait for clickhouse to be healthy"},
		{`limits: { cpus: "2", memory: 512m }`, `limits: { cpus: "2" }`, "projector: there is no limit of memory"},
		{`limits: { cpus: "2", memory: 4g }`, `limits: { memory: 4g }`, "clickhouse: there is no limit of processors"},
		{"GOMEMLIMIT: 450MiB", "GOMEMLIMIT: 550MiB", "projector: GOMEMLIMIT"},
		{`limits: { cpus: "2", memory: 4g }`, `limits: { cpus: "2", memory: 2g }`, "clickhouse: merges make parts of 134217728 bytes, want 67108864 of 2147483648"},
		{`limits: { cpus: "2", memory: 4g }`, `limits: { cpus: "2", memory: 8g }`, "clickhouse: merges begin below 1073741824 bytes, want 2147483648 of 8589934592"},
		{"./clickhouse/merges.xml:/etc/clickhouse-server/config.d/", "./clickhouse/merges.xml:/etc/clickhouse/", "clickhouse: it does not read merges.xml"},
		{`volumes: ["clickhouse:/var/lib/clickhouse"`, `volumes: ["clickhouse:/var/lib/clikhouse"`, "clickhouse: nothing is mounted at /var/lib/clickhouse"},
		{"KAFKA_LOG_DIRS: /var/lib/kafka/data", "KAFKA_LOG_DIRS: /tmp/kafka", "kafka: nothing is mounted at /tmp/kafka"},
		{"replicas: 2", "replicas: 1", "1 chatworker"},
		{"PARLEY_LB_CONNECTOR_2: connector-2:8080", "PARLEY_LB_CONNECTOR_2: connector-1:8080", "lb: connector-2:8080 is not behind it"},
		{"PARLEY_LB_RUN:", "PARLEY_LB_RAN:", "PARLEY_LB_RAN"},
		{"./nginx/nginx.conf.template:", "./nginx/nginx.template:", "nginx.template"},
		{`"127.0.0.1:${PORT:-8080}:8443"`, `"${PORT:-8080}:8443"`, "lb: port 8080 is published beyond this machine"},
		{"restart: unless-stopped\n    stop_grace_period: 60s", "stop_grace_period: 60s", "kafka: it is not restarted"},
		{"KAFKA_PROCESS_ROLES: broker,controller", "KAFKA_PROCESS_ROLES: broker", "KAFKA_PROCESS_ROLES"},
		{`KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false"`, `KAFKA_AUTO_CREATE_TOPICS_ENABLE: "true"`, "KAFKA_AUTO_CREATE_TOPICS_ENABLE"},
		{"KAFKA_TRANSACTIONAL_ID_EXPIRATION_MS: 604800000", "KAFKA_TRANSACTIONAL_ID_EXPIRATION_MS: 60000", "KAFKA_TRANSACTIONAL_ID_EXPIRATION_MS"},
	} {
		t.Run(c.new, func(t *testing.T) {
			if !strings.Contains(text, c.old) {
				t.Fatalf("the compose file has no %q", c.old)
			}
			found := problems(compose(t, strings.ReplaceAll(text, c.old, c.new), chosen))
			if all := strings.Join(found, "\n"); !strings.Contains(all, c.want) {
				t.Errorf("%q is not among the problems:\n%s", c.want, all)
			}
		})
	}
}

// What people may set arrives where it is meant to.
func TestComposeTakesTheEnvironment(t *testing.T) {
	p := compose(t, composeText(t), types.Mapping{
		"PARLEY_PROJECT": "other", "PARLEY_VERSION": "v1.2.3", "PORT": "8081", "API_PORT": "18444", "KAFKA_PORT": "19094",
		"CLICKHOUSE_PORT": "18123", "CLICKHOUSE_PASSWORD": "secret", "JAEGER_PORT": "26686", "TRACE_RATIO": "0.1",
		"NOFILE": "1024", "PARLEY_SECRETS": chosen["PARLEY_SECRETS"], "PARLEY_SECRETS_USER": "1000:1000",
		"PARLEY_URL": "http://receiver/", "PARLEY_KINDS": "join,leave", "PARLEY_CHANNELS": "team-*", "PARLEY_PRIVATE": "true", "PARLEY_FROM": "beginning",
	})
	for _, found := range problems(p) {
		t.Error(found)
	}
	for service, want := range map[string]string{"lb": "8081", "kafka": "19094", "clickhouse": "18123", "jaeger": "26686"} {
		if got := p.Services[service].Ports[0].Published; got != want {
			t.Errorf("%s is published at %s, want %s", service, got, want)
		}
	}
	if got := p.Services["lb"].Ports[1].Published; got != "18444" {
		t.Errorf("the API is published at %s", got)
	}
	// A limit above that of the engine keeps a container from starting.
	for name, s := range p.Services {
		if l := s.Ulimits["nofile"]; l != nil && (l.Single != 1024 || l.Soft != 0 || l.Hard != 0) {
			t.Errorf("%s may open %+v files, want 1024", name, *l)
		}
	}
	for _, name := range []string{"token-endpoint", "hooks"} { // whose secrets nobody else can read
		if user := p.Services[name].User; user != "1000:1000" {
			t.Errorf("%s runs as %s", name, user)
		}
	}
	hooks := p.Services["hooks"]
	for name, want := range map[string]string{"URL": "http://receiver/", "KINDS": "join,leave", "CHANNELS": "team-*", "PRIVATE": "true", "FROM": "beginning"} {
		if got := variable(hooks, "PARLEY_"+name); got != want {
			t.Errorf("hooks have PARLEY_%s=%s, want %s", name, got, want)
		}
	}
	connector := p.Services["connector-1"]
	for name, want := range map[string]string{
		"PARLEY_CLICKHOUSE":       "clickhouse://parley:secret@clickhouse:9000/parley",
		"PARLEY_TRACES":           "http://127.0.0.1:26686/trace/{trace}",
		"OTEL_TRACES_SAMPLER_ARG": "0.1",
	} {
		if got := *connector.Environment[name]; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if connector.Image != "parley:v1.2.3" || *connector.Build.Args["VERSION"] != "v1.2.3" || p.Name != "other" {
		t.Errorf("image %s, version %s, project %s", connector.Image, *connector.Build.Args["VERSION"], p.Name)
	}
}
