package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// The password comes from a file where the DSN has none; SQL prints its result.
func TestSQLWithAPasswordFile(t *testing.T) {
	target, err := clickhouse.Parse(embeddedtest.ClickHouse(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(target.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dsn := "clickhouse://parley@" + target.Addresses[0] + "/" + target.Database
	ask := func(args ...string) (int, string, string) {
		var out, said bytes.Buffer
		code := Run(append([]string{"sql", "--wait", "10s"}, args...), &out, &said)
		return code, out.String(), said.String()
	}
	with := []string{"--clickhouse", dsn, "--clickhouse-password-file", file}
	if code, out, said := ask(append(with, "CREATE TABLE t (a UInt8, b String) ENGINE = MergeTree ORDER BY a")...); code != 0 || out != "" {
		t.Errorf("code %d, %q, %s", code, out, said)
	}
	if code, out, said := ask(append(with, "INSERT INTO t VALUES (1, 'x\x1b[31m'), (2, 'y')")...); code != 0 {
		t.Errorf("code %d, %q, %s", code, out, said)
	}
	if code, out, said := ask(append(with, "SELECT a, b FROM t ORDER BY a")...); code != 0 || out != "a\tb\n1\tx·[31m\n2\ty\n" {
		t.Errorf("code %d, %q, %s", code, out, said)
	}
	if code, _, said := ask(append(with, "SELECT nonsense FROM")...); code != exitFailure || strings.Contains(said, target.Password) {
		t.Errorf("code %d, %s", code, said)
	}
	if code, _, said := ask("--clickhouse", dsn, "SELECT 1"); code != exitFailure || !strings.Contains(said, `refuses user "parley" with this password`) {
		t.Errorf("without the password: code %d, %s", code, said)
	}
}
