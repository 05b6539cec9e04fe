package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/cli"
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
