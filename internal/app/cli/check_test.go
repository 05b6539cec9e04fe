package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

func TestCheckSaysWhetherACommandWouldStart(t *testing.T) {
	for _, c := range []struct {
		args, variable, value string
		code                  int
		want                  string
	}{
		{args: "connector --kafka broker:9092", want: "parley connector: flags and environment are right"},
		{args: "connector", variable: "PARLEY_DRAIN", value: "5s", want: "are right"},
		{args: "clickhouse", variable: "PARLEY_CHDB", value: "/lib/libchdb.so", want: "are right"},
		{args: "epoch new --yes", want: "parley epoch new"},
		{args: "connector --lisen :8080", code: 1, want: `unknown flag --lisen, did you mean "--listen"`},
		{args: "conector", code: 1, want: "conector"},
		{args: "connector", variable: "PARLEY_KAFKA", value: "nowhere", code: 1, want: "PARLEY_KAFKA"},
		{args: "connector", variable: "PARLEY_DRIAN", value: "5s", code: 1, want: "`parley connector` has no flag for the environment variable PARLEY_DRIAN"},
		{args: "chatworker", variable: "PARLEY_LISTEN", value: ":1", code: 1, want: "PARLEY_LISTEN"},
	} {
		t.Run(c.args+c.variable, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv(c.variable, c.value)
			}
			var out, errs bytes.Buffer
			if code := cli.Run(append([]string{"check"}, strings.Fields(c.args)...), &out, &errs); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if said := out.String() + errs.String(); !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 {
				t.Errorf("it says %q, want one line with %q", said, c.want)
			}
		})
	}
}

// Every command that takes addresses or files is checked before it starts.
func TestCheckAcceptsWhatStarts(t *testing.T) {
	for _, args := range []string{
		"connector --auth-jwks https://id.example.com/jwks --auth-audience none --auth-issuer https://id.example.com/ --auth-user-claim email --auth-max-age 0",
		"up", "connector --open --listen :0", "connector --kafka a:1,b:2 --origins https://Chat.Example/,https://*.example.com --proxies 127.0.0.1/32 --hosts box",
		"connector --max-connections 0 --max-queued 0 --rate 0",
		"chatworker", "projector", "broker", "clickhouse", "verify", "doctor", "tail", "history lobby", "topics", "rebuild", "epoch new --yes", "format",
		"tail --data x", "ingest", "hooks --url http://127.0.0.1:1", "ingest --data x",
	} {
		var out, errs bytes.Buffer
		if code := cli.Run(append([]string{"check"}, strings.Fields(args)...), &out, &errs); code != 0 {
			t.Errorf("parley %s: %s", args, errs.String())
		}
	}
	var out, errs bytes.Buffer
	if code := cli.Run([]string{"check", "connector", "--kafka", "a:1, b:2"}, &out, &errs); code != 0 {
		t.Errorf("a list with blanks: %s", errs.String())
	}
}

// Who may connect is in the first line of the log and in /readyz; a variable
// that no command reads is named.
func TestStartSaysWhoMayConnect(t *testing.T) {
	embeddedtest.NeedEngine(t)
	t.Setenv("PARLEY_AUTH_KYE", "/key")
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	up.find(`not settings of any command.*PARLEY_AUTH_KYE`)
	up.find(`parley starts" clients="open to this machine"`)
	admin := up.find(`health is served" address=(\S+)`)
	up.find(`Parley is ready`)
	if _, text := readiness(t, "http://"+admin); text != "ready\nclients: open to this machine\n" {
		t.Errorf("/readyz says %q", text)
	}
}
