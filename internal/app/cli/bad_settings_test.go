package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a start refuses, check refuses with the same sentence, and the other way
// around: both load the same keys, files, addresses and patterns.
func TestBadSettings(t *testing.T) {
	folder, checks := t.TempDir(), newChecker(t)
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, short, empty := file("secret", strings.Repeat("s3cret/+", 4)), file("short", "s3cret"), file("empty", "\n")
	typing := file("typing.json", "{\"grants\": [\n{\"channels\": [\"a\"]\n\"allow\": [\"join\"]}\n]}\n")
	misspelt := file("misspelt.json", "{\"grants\": [\n{\"channels\": [\"a\"], \"alow\": [\"join\"]}\n]}\n")
	for _, c := range []struct{ args, variable, value, want string }{
		{args: "connector --auth-key nofile", want: "--auth-key nofile: it cannot be read"},
		{args: "up --partitions 1000", want: "--partitions 1000: the embedded broker creates at most 100 partitions"},
		{args: "up --auth-key nofile", want: "--auth-key nofile: it cannot be read"},
		{args: "connector --auth-key " + secret, want: "--auth-secret"},
		{args: "connector --auth-secret " + short, want: "too short"},
		{args: "connector --auth-secret " + secret + " --auth-algorithms RS256", want: "cannot verify"},
		{args: "connector --auth-secret " + secret + " --auth-algorithms XS999", want: `--auth-algorithms: the keys cannot verify all of them; they take HS256, not "XS999"`},
		{args: "connector --auth-secret " + secret + " --auth-algorithms none", want: "they take HS256"},
		{args: "connector --auth-secret " + secret + " --auth-algorithms hs256", want: "they take HS256"},
		{args: "connector --auth-secret " + secret + " --auth-algorithms HS256,HS512", want: "they take HS256"},
		{args: "up --auth-secret " + secret + " --open", want: "--open means no authentication, and there is a key: keep one"},
		{args: "connector --auth-secret " + secret + " --grants " + typing, want: "cannot be used: line 3: it is not JSON: check the commas, quotes and brackets there"},
		{args: "connector --auth-secret " + secret + " --grants " + misspelt, want: "line 2: grants/0/allow is missing: put a list there; the file has the form"},
		{args: "connector --auth-secret " + secret + " --auth-key " + secret, want: "keep one"},
		{args: "connector --auth-secret " + secret + " --open", want: "keep one"},
		{args: "connector --auth-audience parley", want: "take --auth-key, --auth-secret or --auth-jwks"},
		{args: "connector --auth-max-age 1h", want: "take --auth-key, --auth-secret or --auth-jwks"},
		{args: "connector --auth-secret " + secret + " --auth-max-age=-1h", want: "--auth-max-age is -1h0m0s: it takes a time from 0 on"},
		{args: "connector --auth-jwks https://id.example.com/jwks", want: "--auth-jwks needs --auth-audience"},
		{args: "up --auth-jwks https://id.example.com/jwks --auth-audience parley --auth-key " + secret, want: "keep one"},
		{args: "connector --auth-jwks http://id.example.com/jwks --auth-audience parley", want: "--auth-jwks: it takes https://"},
		{args: "connector --auth-jwks https://ada:s3cr3t@id.example.com/jwks --auth-audience parley", want: "--auth-jwks: it takes an address without user and password"},
		{args: "connector --auth-jwks id.example.com --auth-audience none", want: "--auth-jwks: it takes the address of a key set"},
		{args: "connector --auth-jwks https://id.example.com/jwks --auth-audience none --auth-algorithms HS256", want: "cannot verify"},
		{args: "connector", variable: "PARLEY_AUTH_JWKS", want: "PARLEY_AUTH_JWKS is set and empty"},
		{args: "connector --grants " + secret, want: "takes --auth-key, --auth-secret or --auth-jwks: without"},
		{args: "connector --auth-secret " + secret + " --grants /nowhere.json", want: "the file of grants /nowhere.json cannot be read: no such file"},
		{args: "up --auth-secret " + secret + " --grants " + empty, want: "cannot be used: line 1: it is not JSON"},
		{args: "connector --listen 0.0.0.0:0", want: "--open"},
		{args: "up --listen :0", want: "--open"},
		{args: "connector --origins chat.example.com", want: `--origins: it takes origins of the form https://chat.example.com, https://*.example.com or *, not "chat.example.com"`},
		{args: "connector --origins https://a.example/b", want: "--origins: it takes"},
		{args: "connector --hosts http://box", want: "--hosts: it takes"},
		{args: "connector --proxies nginx", want: "--proxies: it takes"},
		{args: "connector --max-body 2000000", want: "the limit is at most 65536"},
		{args: "connector --max-data 65537", want: "data of 65537 bytes is more than the log takes"},
		{args: "connector --max-data 0", want: "--max-data is 0: it takes a number from 1 on"},
		{args: "connector --edit-age=-1s", want: "--edit-age is -1s: it takes a time from 0 on"},
		{args: "connector --traces http://jaeger/trace", want: "{trace}"},
		{args: "connector --traces jaeger/{trace}", want: "{trace}"},
		{args: "connector --kafka-ca /nowhere.pem", want: "/nowhere.pem"},
		{args: "chatworker --kafka-sasl PLAIN", want: "--kafka-user"},
		{args: "projector --kafka-sasl PLAIN --kafka-user ada --kafka-password-file /nowhere", want: "/nowhere"},
		{args: "chatworker --kafka-user ada", want: "--kafka-sasl"},
		{args: "tail --kafka-sasl PLAIN --kafka-user ada --kafka-password-file " + empty, want: "holds no password"},
		{args: "projector --clickhouse clickhouse://ch/chat?ca=/nowhere.pem", want: "/nowhere.pem"},
		{args: "connector --clickhouse clickhouse://ch/chat?password-file=/nowhere", want: "/nowhere"},
		{args: "verify --clickhouse-password-file /nowhere", want: "/nowhere"},
		{args: "connector", variable: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "localhost:4317", want: "OTEL_EXPORTER_OTLP_ENDPOINT is not of the form http://host:port"},
		{args: "broker", variable: "OTEL_TRACES_EXPORTER", value: "pigeon", want: "OTEL_TRACES_EXPORTER"},
		{args: "connector", variable: "PARLEY_AUTH_KEY", want: "PARLEY_AUTH_KEY is set and empty"},
		{args: "up", variable: "PARLEY_AUTH_SECRET", want: "PARLEY_AUTH_SECRET is set and empty"},
		{args: "connector", variable: "PARLEY_ORIGINS", want: "PARLEY_ORIGINS is set and empty"},
		{args: "chatworker", variable: "PARLEY_KAFKA_SASL", want: "PARLEY_KAFKA_SASL is set and empty"},
		{args: "connector --listen 192.0.2.1:0", want: "--listen: this machine cannot listen at 192.0.2.1:0: cannot assign requested address"},
		{args: "broker --listen 192.0.2.1:9092", want: "--listen: this machine cannot listen at 192.0.2.1:9092"},
		{args: "clickhouse --admin 192.0.2.1:0", want: "--admin: this machine cannot listen at 192.0.2.1:0"},
		{args: "up --listen nowhere.invalid:80", want: "--listen: this machine cannot listen at nowhere.invalid:80"},
		{args: "trace 0123456789abcdef0123456789abcdef --jaeger localhost:16686", want: "--jaeger: it takes"},
		{args: "chatworker", variable: "OTEL_EXPORTER_OTLP_COMPRESSION", value: "rar", want: `OTEL_EXPORTER_OTLP_COMPRESSION: it takes gzip, none, not "rar"`},
		{args: "chatworker", variable: "OTEL_RESOURCE_ATTRIBUTES", value: "s3cr3t", want: "OTEL_RESOURCE_ATTRIBUTES: it takes key=value"},
		{args: "ingest --clickhouse=", want: "--clickhouse is set and empty"},
		{args: "ingest --clickhouse clickhouse://ch/chat?ca=/nowhere.pem", want: "/nowhere.pem"},
		{args: "ingest --max-body 65537", want: "a body of 65537 bytes is more than the log takes"},
		{args: "hooks", want: "--url: the URL is not one of HTTP"},
		{args: "ingest --key local", want: "the name local is that of the key that parley up makes for itself"},
		{args: "ingest --key " + strings.Repeat("k", 65), want: "the name of a key has at most 64 bytes"},
		{args: "connector --proxies=", want: "--proxies is set and empty"},
		{args: "ingest --data x --kafka a:1", want: "--kafka is set beside --data, which stands for the servers of a `parley up`: keep one of the two"},
		{args: "hooks --url http://127.0.0.1:1 --data x", variable: "PARLEY_KAFKA_SASL", value: "PLAIN", want: "PARLEY_KAFKA_SASL is set beside --data"},
		{args: "doctor --clickhouse clickhouse://ch/chat", variable: "PARLEY_DATA", value: "x", want: "--clickhouse is set beside PARLEY_DATA"},
	} {
		t.Run(strings.ReplaceAll(c.args, folder, "")+" "+c.variable, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv(c.variable, c.value)
			}
			var out, errs bytes.Buffer
			if code := Run(strings.Fields(c.args), &out, &errs); code == 0 || out.Len() > 0 {
				t.Errorf("exit code %d, and says %s", code, out.String())
			}
			started := strings.ReplaceAll(errs.String(), " (`parley --help` lists commands and flags)", "")
			checked := "parley: " + checks.says(strings.Fields(c.args)...) + "\n"
			if started != checked || !strings.Contains(checked, c.want) || strings.Count(checked, "\n") != 1 {
				t.Errorf("a start says %q, check says %q; want %q", started, checked, c.want)
			}
		})
	}
}

// Every command that takes --data in place of servers refuses both.
func TestServersBesideData(t *testing.T) {
	checks, both := newChecker(t), 0
	for _, command := range leaves(t) {
		names := map[string]bool{}
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				names[flag.Name] = true
			}
		}
		if !names["data"] || !names["kafka"] && !names["clickhouse"] && !names["api-ca"] {
			continue
		}
		both++
		args := append(strings.Fields(command.Path()), otherwise[command.Path()]...)
		for flag, value := range map[string]string{"kafka": "a:1", "kafka-user": "ada", "clickhouse": "clickhouse://ch/chat", "clickhouse-password-file": "f", "api": "a:1", "api-key-file": "f"} {
			if !names[flag] {
				continue
			}
			if said, want := checks.says(append(args[:len(args):len(args)], "--data", "x", "--"+flag, value)...), "--"+flag+" is set beside --data, "; !strings.HasPrefix(said, want) {
				t.Errorf("%s says %q, want %q", command.Path(), said, want)
			}
		}
	}
	if both < 20 {
		t.Errorf("%d commands take either: the walk misses some", both)
	}
}
