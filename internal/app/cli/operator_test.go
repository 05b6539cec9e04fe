package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// operate carries out an operator's command on a data folder.
func operate(data string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = cli.Run(append(args, "--data", data), &o, &e)
	return code, o.String(), e.String()
}

// An operator's life with `parley up`: verify and rebuild while it runs, a new
// epoch while it does not.
func TestOperatorsCommands(t *testing.T) {
	embeddedtest.NeedEngine(t)
	data := t.TempDir()
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", data)
	up.find(`Parley is ready`)
	var report struct {
		Epoch      string
		Generation int
		Found      int
	}
	verify := func() (code int) {
		code, out, _ := operate(data, "verify", "--json")
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("verify --json says %s: %v", out, err)
		}
		return code
	}
	await.That(t, "all is equal", func() bool { return verify() == 0 })
	first := report.Epoch
	if code, out, errs := operate(data, "rebuild"); code != 0 || !strings.Contains(out, "Generation 2 is the current one") {
		t.Fatalf("rebuild: exit code %d: %s%s", code, out, errs)
	}
	await.That(t, "all is equal in the new tables", func() bool { return verify() == 0 && report.Generation == 2 })
	if code, out, errs := operate(data, "rebuild", "--drop-older"); code != 0 || !strings.Contains(out, "generation 1 are dropped") {
		t.Errorf("rebuild --drop-older: exit code %d: %s%s", code, out, errs)
	}
	if code, _, errs := operate(data, "epoch", "new", "--yes"); code != 1 || !strings.Contains(errs, "all roles stopped") {
		t.Errorf("epoch new while it runs: exit code %d: %s", code, errs)
	}
	up.kill()
	await.That(t, "the roles count as stopped", func() bool {
		code, out, errs := operate(data, "epoch", "new", "--yes", "--recreate") // nothing was published in this one
		if code != 0 && !strings.Contains(errs, "all roles stopped") {
			t.Fatalf("epoch new: exit code %d: %s%s", code, out, errs)
		}
		return code == 0
	})
	begin(t, "up", "--listen", "127.0.0.1:0", "--data", data).find(`Parley is ready`)
	await.That(t, "all is equal in the new epoch", func() bool { return verify() == 0 && report.Epoch != first })
}

// A folder that happens to exist is not one of ours: no servers are started in it.
func TestFolderOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	if code, out, errs := operate(dir, "topics"); code != 1 || !strings.Contains(errs, "there is no data folder") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

func TestOperatorsCommandsThatCannot(t *testing.T) {
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"verify --wait 200ms --kafka 127.0.0.1:1", "Kafka at 127.0.0.1:1 does not answer within 200ms", 3},
		{"rebuild --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"epoch new --wait 200ms --kafka 127.0.0.1:1", "does not answer", 1},
		{"verify --data /nowhere/at/all", "there is no data folder /nowhere/at/all", 3},
		{"verify --keep many", `it takes a number from 1 to 10000, not "many"`, 2},
		{"epoch", "new", 2},
	} {
		var out, errs bytes.Buffer
		code := cli.Run(strings.Fields(c.args), &out, &errs)
		if code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("parley %s: exit code %d, says %q, want %d and %q", c.args, code, errs.String(), c.code, c.want)
		}
	}
}
