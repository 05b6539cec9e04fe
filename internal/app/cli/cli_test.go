package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
)

func TestWrongFlagsAreOneSentence(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"nope", "nope"},
		{"connector --lisen 127.0.0.1:1", `did you mean "--listen"`},
		{"connector --listen 8080", `--listen: it takes an address of the form host:port, not "8080"`},
		{"connector --listen 127.0.0.1:http", `--listen: it takes a port from 1 to 65535, or 0 for any free one`},
		{"connector --listen 127.0.0.1:70000", `or 0 for any free one, not "127.0.0.1:70000"`},
		{"connector --kafka 127.0.0.1", "--kafka:"},
		{"connector --kafka 127.0.0.1:9092,:9093", "it takes addresses of the form host:port"},
		{"connector --kafka 127.0.0.1:0", "it takes addresses of the form host:port"},
		{"connector --kafka ada:s3cr3t@127.0.0.1:9092", "--kafka-password-file"},
		{"connector --kafka ada:s3cr3t,x@127.0.0.1:9092", "--kafka-password-file"},
		{"connector --clickhouse http://127.0.0.1", "must begin with clickhouse://"},
		{"projector --clickhouse clickhouse:///x", "names no server"},
		{"chatworker --partitions=-1", `--partitions: it takes a number from 1 to 10000, not "-1"`},
		{"chatworker --partitions=many", `--partitions: it takes a number from 1 to 10000, not "many"`},
		{"up --log-level loud", `--log-level: it takes one of debug, info, warn, error, not "loud"`},
		{"up --log-format xml", `--log-format: it takes one of text, json, not "xml"`},
		{"connector --drain soon", `--drain: it takes a time such as 500ms, 30s or 24h, not "soon"`},
		{"connector --max-body big", `--max-body: it takes a whole number, not "big"`},
		{"connector --rate big", `--rate: it takes a whole number, not "big"`},
		{"connector --listen=http://ada:s3cr3t@127.0.0.1:1", "--listen: it takes an address of the form host:port"},
		{"connector --open=s3cr3t@x", "--open: it takes no value, or true or false"},
		{"tail --kinds chat,shout", "--kinds: it takes one of marker, format, join"},
		{"projector ada:s3cr3t@host", "unexpected argument …"},
		{"--ada:s3cr3t@host", "unknown flag …"},
		{"projector --pass=s3cr3t@host", "unknown flag --pass"},
		{"broker --admin nowhere", `--admin: it takes an address of the form host:port, not "nowhere"`},
	} {
		var out, errs bytes.Buffer
		if code := cli.Run(strings.Fields(c.args), &out, &errs); code != 2 {
			t.Errorf("parley %s: exit code %d, want 2", c.args, code)
		}
		said := errs.String()
		if !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "parley: ") || strings.Contains(said, "s3cr3t") {
			t.Errorf("parley %s says %q, want one line with %q", c.args, said, c.want)
		}
	}
}

func TestEnvironmentCountsAndIsNamed(t *testing.T) {
	t.Setenv("PARLEY_KAFKA", "broken")
	var out, errs bytes.Buffer
	if code := cli.Run([]string{"chatworker"}, &out, &errs); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	if !strings.Contains(errs.String(), "PARLEY_KAFKA") {
		t.Errorf("%q does not name the variable", errs.String())
	}
}

// The names of commands and flags are a contract with scripts elsewhere.
func TestHelpNamesTheContract(t *testing.T) {
	for command, want := range map[string][]string{
		"":           {"up", "connector", "chatworker", "projector", "broker", "clickhouse", "version"},
		"up":         {"--listen", "127.0.0.1:8080", "--data", "--admin", "--partitions"},
		"connector":  {"--listen", "127.0.0.1:8080", "--kafka", "127.0.0.1:9092", "--clickhouse", "clickhouse://127.0.0.1:9000/default", "--admin"},
		"chatworker": {"--kafka", "127.0.0.1:9092", "--admin", "--partitions"},
		"projector":  {"--kafka", "--clickhouse", "--admin"},
		"broker":     {"--listen", "127.0.0.1:9092", "--data", "--admin"},
		"clickhouse": {"--listen", "127.0.0.1:9000", "--data", "--admin", "PARLEY_LISTEN"},
	} {
		var out, errs bytes.Buffer
		if code := cli.Run(append(strings.Fields(command), "--help"), &out, &errs); code != 0 {
			t.Errorf("parley %s --help: exit code %d: %s", command, code, errs.String())
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("parley %s --help does not name %s:\n%s", command, w, out.String())
			}
		}
	}
}

func TestVersion(t *testing.T) {
	var out, errs bytes.Buffer
	if code := cli.Run([]string{"version"}, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "parley ") {
		t.Errorf("exit code %d, says %q", code, out.String())
	}
}
